package keys

import (
	"strings"
	"testing"
)

// The parts of a list are the list, and what a key may mean is spelt in it.
func FuzzRetireText(f *testing.F) {
	for _, text := range []string{"aescbc:key1", "aescbc:a,b,aescbc:c", "kms-v2:vault (kek-1),aesgcm:x", `kms-v2:v (key ID "a\"b")`, "kms-v2:a (b) (c)", "aescbc:,", ", ,kms:x", "secretbox: a ,aescbc:b "} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		parts := SplitKeys(text)
		if strings.Join(parts, ",") != text || len(parts) == 0 {
			t.Fatalf("%q of %q", parts, text)
		}
		_ = CheckSpelling(text)
		for i, name := range Readings(text) {
			if _, err := parseSpelling(name.Provider.String() + ":" + name.Name); err != nil {
				t.Fatalf("%q may mean %+v: %v", text, name, err)
			}
			if i == 0 && name.Provider.String()+":"+name.Name != text || i > 0 && name.KMSKeyID == "" {
				t.Fatalf("%q may mean %+v", text, name)
			}
		}
	})
}
