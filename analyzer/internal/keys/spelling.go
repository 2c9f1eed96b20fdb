package keys

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/etcdsift/etcdsift/decode/envelope"
)

// A Spelling is what a user calls a key.
type Spelling struct {
	Provider envelope.Provider
	Name     string // of the key, or of the KMS provider
	KMSKeyID string // one of the key IDs of a KMS provider; empty stands for all of them
}

// parseSpelling reads PROVIDER:NAME. The name may hold colons. The error is for the user.
func parseSpelling(s string) (Spelling, error) {
	provider, name, ok := strings.Cut(s, ":")
	p, known := envelope.ParseProvider(provider)
	switch {
	case !ok || name == "":
		return Spelling{}, fmt.Errorf("%q: must be PROVIDER:NAME, such as aescbc:key1", s)
	case !known && isWord(provider):
		return Spelling{}, fmt.Errorf("%q: provider must be %s", s, join(envelope.EncryptingAs(provider), " or "))
	case !p.Encrypts():
		return Spelling{}, errors.New(`"` + s + `": provider must be one of ` + join(envelope.Encrypting(), ", "))
	}
	return Spelling{Provider: p, Name: name}, nil
}

// isWord reports whether a configuration has providers that encrypt under that word.
func isWord(s string) bool { return len(envelope.EncryptingAs(s)) > 0 }

func join(list []envelope.Provider, sep string) string {
	names := make([]string, len(list))
	for i, p := range list {
		names[i] = p.String()
	}
	return strings.Join(names, sep)
}

// CheckSpelling checks a text that names a key to retire, as far as that can be done before it is known
// which keys there are. The error is for the user.
func CheckSpelling(arg string) error {
	_, err := parseSpelling(strings.TrimSpace(arg))
	return err
}

// SplitKeys splits a list of keys at the commas that a provider follows: any other comma must be
// of a name. Those may be of a name, too. The parts, joined with commas, are the list again.
func SplitKeys(list string) []string {
	var parts []string
	for part := range strings.SplitSeq(list, ",") {
		word, _, _ := strings.Cut(strings.TrimSpace(part), ":")
		_, known := envelope.ParseProvider(word)
		if len(parts) == 0 || known || isWord(word) || strings.TrimSpace(part) == "" {
			parts = append(parts, part)
			continue
		}
		parts[len(parts)-1] += "," + part
	}
	return parts
}

// Readings lists what a key may mean as reports print it: a name, or the name of a KMS provider and
// behind it, in parentheses, a key ID.
func Readings(label string) []Spelling {
	name, err := parseSpelling(label)
	if err != nil {
		return nil
	}
	all := []Spelling{name}
	before, id, ok := cutLast(name.Name, " (")
	if !ok || !name.Provider.HasObject() || !strings.HasSuffix(id, ")") || id == ")" || before == "" {
		return all
	}
	id = strings.TrimSuffix(id, ")")
	all = append(all, Spelling{name.Provider, before, id})
	if quoted, ok := strings.CutPrefix(id, "key ID "); ok { // as findings print it
		if id, err := strconv.Unquote(quoted); err == nil {
			all = append(all, Spelling{name.Provider, before, id})
		}
	}
	return all
}

// cutLast is strings.Cut at the last sep.
func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}
