package mvcc

import (
	"slices"
	"strings"
	"testing"
)

// TestIsState holds entries that carry text of another origin against the buckets whose keys
// they have. What etcd itself writes is in TestStateOfEtcd.
func TestIsState(t *testing.T) {
	const text = "correct horse battery staple"
	member := `{"id":1,"peerURLs":["http://p:2380"],"name":"n","clientURLs":["http://c:2379"]}`
	cases := []struct {
		name, key, value string
		want             bool
	}{
		{"text under a name", "some-name", text, false},
		{"text under 8 bytes", "\x00\x00\x00\x00\x00\x00\x00\x07", text, false},
		{"text as a key", text, "", false},
		{"long text without spaces as a key", strings.Repeat("x", 40), "", false},
		{"version", "clusterVersion", "3.5.21", true},
		{"version of a release candidate", "storageVersion", "3.7.0-rc.1", true},
		{"text as a version", "clusterVersion", text, false},
		{"text behind a version", "clusterVersion", "3.5.0-" + text, false},
		{"text behind an index", "consistent_index", "\x00\x00\x00\x00\x00\x00\x01\x02" + text, false},
		{"member", "8e9e05c52164694d", member, true},
		{"member with text for an address", "1", strings.Replace(member, "http://p:2380", text, 1), false},
		{"member with a user in an address", "1", strings.Replace(member, "http://p", "http://u:secret@p", 1), false},
		{"member with text for a name", "1", strings.Replace(member, `"n"`, `"`+text+`"`, 1), false},
		{"member with another field", "1", strings.Replace(member, `"id"`, `"text":"`+text+`","id"`, 1), false},
		{"member with two names", "1", strings.Replace(member, `"name"`, `"name":"correct-horse-battery","name"`, 1), false},
		{"text behind a member", "1", member + text, false},
		{"member under a text", "8e9e05c52164694d-x", member, false},
		{"removed member", "ff", "removed", true},
		{"removed member with text", "ff", text, false},
		{"downgrade", "downgrade", `{"target-version":"3.6.0","enabled":true}`, true},
		{"downgrade to a text", "downgrade", `{"target-version":"` + text + `","enabled":true}`, false},
		{"user", "root", "\x0a\x04root\x12\x3c$2a$10$" + strings.Repeat("x", 53) + "\x1a\x04root", true},
		{"user of another name", "root", "\x0a\x04toor", false},
		{"user with text for a role", "root", "\x0a\x04root\x1a\x1c" + text, false},
		{"user with another field", "root", "\x0a\x04root\x2a\x1c" + text, false},
		{"user with text for a hash", "root", "\x0a\x04root\x12\x1c" + text, false},
		{"role", "r", "\x0a\x01r\x12\x06\x08\x01\x12\x02/a", true},
		{"role with text for a key", "r", "\x0a\x01r\x12\x20\x08\x01\x12\x1c" + text, false},
		{"lease", "\x00\x00\x00\x00\x00\x00\x00\x07", "\x08\x07\x10\x3c", true},
		{"lease of another ID", "\x00\x00\x00\x00\x00\x00\x00\x07", "\x08\x08\x10\x3c", false},
		{"lease with text", "\x00\x00\x00\x00\x00\x00\x00\x07", "\x08\x07\x22\x1c" + text, false},
		{"alarm", "\x08\x0a\x10\x01", "", true},
		{"alarm with text", "\x08\x0a\x1a\x1c" + text, "", false},
		{"alarm with a value", "\x08\x0a\x10\x01", text, false},
	}
	for _, c := range cases {
		if got := IsState([]byte(c.key), []byte(c.value)); got != c.want {
			t.Errorf("%s: %t, want %t", c.name, got, c.want)
		}
	}
	for _, bucket := range []string{BucketKey, "kubernetes", ""} {
		if IsStateOf(bucket, []byte("clusterVersion"), []byte("3.5.0")) {
			t.Errorf("bucket %q has a form", bucket)
		}
	}
}

// FuzzIsState changes nothing that it is given, and says of each bucket what it says of all.
func FuzzIsState(f *testing.F) {
	for _, c := range stateCases() {
		f.Add([]byte(c.key), []byte(c.value))
	}
	f.Fuzz(func(t *testing.T, key, value []byte) {
		k, v := string(key), string(value)
		any := slices.ContainsFunc(StateBuckets, func(b string) bool { return IsStateOf(b, key, value) })
		if IsState(key, value) != any || string(key) != k || string(value) != v {
			t.Errorf("IsState(%q, %q) is %t", key, value, !any)
		}
		if any && len(key) > maxName {
			t.Errorf("a key of %d bytes is a name", len(key))
		}
		for _, bucket := range StateBuckets {
			var s State
			if IsStateOf(bucket, key, value) && s.Add(bucket, key, value, 0) != nil {
				t.Errorf("bucket %s, key %q: State.Add finds damage in what has the form", bucket, key)
			}
		}
		stateBound.Check(t, len(key)+len(value), func() { IsState(key, value) })
	})
}
