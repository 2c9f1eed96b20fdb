package evidence

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestMemberPath(t *testing.T) {
	for _, c := range []struct {
		path  string
		files []string
		want  MemberPath
	}{
		{"backup.tar!/etcd-snapshot.db", []string{"backup.tar"}, MemberPath{"backup.tar", []string{"etcd-snapshot.db"}}},
		{"b/a.zip!/n1/x.tar!/s.db", []string{"b/a.zip"}, MemberPath{"b/a.zip", []string{"n1/x.tar", "s.db"}}},
		{"backup.tar", []string{"backup.tar"}, MemberPath{File: "backup.tar"}},
		{"odd!/s.db", []string{"odd!/s.db"}, MemberPath{File: "odd!/s.db"}},
		{"odd!/b.tar!/s.db", []string{"odd!/b.tar"}, MemberPath{"odd!/b.tar", []string{"s.db"}}},
		{"gone.tar!/s.db", nil, MemberPath{File: "gone.tar!/s.db"}},
		{"b.tar!/wow%21!/100%25", []string{"b.tar"}, MemberPath{"b.tar", []string{"wow!", "100%"}}},
	} {
		if got := ParseMemberPath(c.path, func(p string) bool { return slices.Contains(c.files, p) }); cmp.Diff(c.want, got) != "" {
			t.Errorf("%s: %q, want %q", c.path, got, c.want)
		}
	}
	names := rapid.StringOfN(rapid.RuneFrom([]rune("a!/%2151")), 0, 9, -1)
	rapid.Check(t, func(t *rapid.T) {
		p := MemberPath{"dir/b.tar", rapid.SliceOfN(names, 1, 3).Draw(t, "members")}
		if got := ParseMemberPath(p.String(), func(path string) bool { return path == p.File }); cmp.Diff(p, got) != "" {
			t.Fatalf("%s: %q, want %q", p, got, p)
		}
	})
}
