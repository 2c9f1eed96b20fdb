package judge

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/etcdsift/etcdsift/decode/envelope"
)

// A keyName is what a user calls a key.
type keyName struct {
	Provider envelope.Provider
	Name     string // of the key, or of the KMS provider
	KMSKeyID string // one of the key IDs of a KMS provider; empty stands for all of them
}

// parseKeyName reads PROVIDER:NAME. The name may hold colons. The error is for the user.
func parseKeyName(s string) (keyName, error) {
	provider, name, ok := strings.Cut(s, ":")
	p, known := envelope.ParseProvider(provider)
	switch {
	case !ok || name == "":
		return keyName{}, fmt.Errorf("%q: must be PROVIDER:NAME, such as aescbc:key1", s)
	case !known && isWord(provider):
		return keyName{}, fmt.Errorf("%q: provider must be %s", s, join(envelope.EncryptingAs(provider), " or "))
	case !p.Encrypts():
		return keyName{}, errors.New(`"` + s + `": provider must be one of ` + join(envelope.Encrypting(), ", "))
	}
	return keyName{Provider: p, Name: name}, nil
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

// CheckKeyName checks a text of Question.Retire, as far as that can be done before it is known
// which keys there are. The error is for the user.
func CheckKeyName(arg string) error {
	_, err := parseKeyName(strings.TrimSpace(arg))
	return err
}

// splitKeys splits a list of keys at the commas that a provider follows: any other comma must be
// of a name. Those may be of a name, too. The parts, joined with commas, are the list again.
func splitKeys(list string) []string {
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

// readings lists what a key may mean as reports print it: a name, or the name of a KMS provider and
// behind it, in parentheses, a key ID.
func readings(label string) []keyName {
	name, err := parseKeyName(label)
	if err != nil {
		return nil
	}
	all := []keyName{name}
	before, id, ok := cutLast(name.Name, " (")
	if !ok || !name.Provider.HasObject() || !strings.HasSuffix(id, ")") || id == ")" || before == "" {
		return all
	}
	id = strings.TrimSuffix(id, ")")
	all = append(all, keyName{name.Provider, before, id})
	if quoted, ok := strings.CutPrefix(id, "key ID "); ok { // as findings print it
		if id, err := strconv.Unquote(quoted); err == nil {
			all = append(all, keyName{name.Provider, before, id})
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
