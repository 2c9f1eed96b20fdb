package envelope

import "bytes"

// A Name is the name of a key of a provider, or of a KMS provider.
type Name struct {
	Provider Provider
	Name     string
}

// Prefix is what every value starts with that the key of that name wrote; empty for
// Identity and Unknown.
func Prefix(p Provider, name string) string {
	for i := range schemes {
		if schemes[i].provider == p {
			return enc + schemes[i].prefix + name + ":"
		}
	}
	return ""
}

// ParseProvider reads a name that Provider.String writes; false for any other, and for
// that of Unknown.
func ParseProvider(s string) (Provider, bool) {
	for p := Identity; p <= KMSv2; p++ {
		if p.String() == s {
			return p, true
		}
	}
	return Unknown, false
}

// ParseNamed is Parse where the names of some keys are known. A name that holds a colon
// is found whole then: of those that the value goes on with, the longest counts.
func ParseNamed(value []byte, off int64, names []Name) (Envelope, error) {
	e, err := Parse(value, off)
	if e.Provider == Identity || e.Provider == Unknown || len(names) == 0 {
		return e, err
	}
	start := len(value) - len(e.Payload) - 1 - len(e.KeyName)
	longest := -1
	for i := range names {
		n := &names[i]
		if n.Provider != e.Provider || longest >= 0 && len(n.Name) < len(names[longest].Name) {
			continue
		}
		if rest, ok := bytes.CutPrefix(value[start:], []byte(n.Name)); ok && len(rest) > 0 && rest[0] == ':' {
			longest = i
		}
	}
	if longest < 0 || len(names[longest].Name) == len(e.KeyName) {
		return e, err
	}
	end := start + len(names[longest].Name)
	named := Envelope{Provider: e.Provider, Version: e.Version, KeyName: clip(value[start:end]), Payload: clip(value[end+1:])}
	return named, named.checkPayload(off + int64(end) + 1)
}
