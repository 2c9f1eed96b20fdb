package evidence_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/etcdsift/etcdsift/analyzer/evidence"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/fixtures/captured"
)

// What lies in a data dir is of its member, also if the file is cut before the page that would
// say so: it makes no second object of each Secret.
func TestFilesOfOneDataDir(t *testing.T) {
	db, err := captured.ReadFile("02-rewritten/data-dir/member/snap/db")
	if err != nil {
		t.Fatal(err)
	}
	answer := func(beside ...string) (scope []report.ScopeCount, newest map[string]report.Status, members int) {
		t.Helper()
		dir := t.TempDir()
		write := func(name string, b []byte) {
			path := filepath.Join(dir, filepath.FromSlash(name))
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		write("member/snap/db", db)
		for _, name := range beside {
			write(name, db[:cutAt])
		}
		s, err := evidence.Open([]string{dir}, false)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		r, err := scan(s)
		if err != nil {
			t.Fatal(err)
		}
		newest = map[string]report.Status{}
		for _, x := range r.Exposures {
			newest[string(x.Key)] = x.Status
		}
		if len(newest) != len(r.Exposures) {
			t.Errorf("%v: %d exposures of %d keys", beside, len(r.Exposures), len(newest))
		}
		for _, e := range r.Evidence {
			if e.Details != nil {
				members += len(e.Details.Etcd.Members)
			}
		}
		return r.Scope, newest, members
	}
	scope, newest, members := answer()
	for _, name := range []string{"member/snap/tmp123456789", "member/snap/db.tmp.12", "member/snap/0000000000000009.snap.db", "member/snap/db.bak",
		"old/copy.db", "copy.db", "member/copy"} {
		gotScope, got, gotMembers := answer(name)
		if gotMembers != members {
			t.Fatalf("%s: it still names its member: nothing is tested", name)
		}
		if diff := cmp.Diff(scope, gotScope); diff != "" {
			t.Errorf("%s: scope (-without +with it):\n%s", name, diff)
		}
		if diff := cmp.Diff(newest, got); diff != "" {
			t.Errorf("%s: exposures (-without +with it):\n%s", name, diff)
		}
	}
}

// cutAt leaves most of the pages of the captured db, but not that of its members.
const cutAt = 512 << 10
