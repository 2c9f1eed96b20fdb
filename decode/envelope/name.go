package envelope

import "bytes"

// A Name is the name of a key of a provider, or of a KMS provider.
type Name struct {
	Provider Provider
	Name     string
}

// Prefix is what every value starts with that the key of that name wrote; empty for Identity
// and Unknown.
func Prefix(p Provider, name string) string {
	if s := p.scheme(); s.prefix != "" {
		return enc + s.prefix + name + ":"
	}
	return ""
}

// maxMore and maxColons bound how far a name may go on behind its first colon. That of a time
// with its zone goes on for 11 bytes and two colons.
const (
	maxMore   = 256
	maxColons = 8
)

// moreName is how much of a payload may belong to the name before it: printable text up to
// the last colon that still has a payload behind it. It is nil without such a colon.
func moreName(payload []byte, s *scheme) []byte {
	if s.least == 0 || len(payload) == 0 || payload[0] < ' ' { // most ciphertexts
		return nil
	}
	text := payload[:printableLen(payload[:min(len(payload), maxMore)])]
	last := -1
	for colons := 0; colons < maxColons; colons++ {
		n := bytes.IndexByte(text[last+1:], ':')
		if n < 0 {
			break
		}
		last += 1 + n
	}
	for ; last >= 0; last = bytes.LastIndexByte(text[:last], ':') {
		rest := payload[last+1:]
		if len(rest) >= s.least && (s.fits == nil || s.fits(rest)) {
			return clip(payload[:last])
		}
	}
	return nil
}

// Names are the names that the key of a value may have, the shortest first: KeyName, and
// those that go on behind it up to a colon in MoreName, or up to its end.
func (e *Envelope) Names() []string {
	if e.MoreName == nil {
		return []string{string(e.KeyName)}
	}
	longest := string(e.KeyName) + ":" + string(e.MoreName)
	names := []string{longest[:len(e.KeyName)]}
	for i, c := range e.MoreName {
		if c == ':' {
			names = append(names, longest[:len(e.KeyName)+1+i])
		}
	}
	return append(names, longest)
}

// Longest is the envelope with the longest name that its key may have, with MoreName as a
// part of it.
func (e *Envelope) Longest() Envelope {
	if e.MoreName == nil {
		return *e
	}
	longest := Envelope{Provider: e.Provider, Version: e.Version, Payload: e.Payload[len(e.MoreName)+1:],
		KeyName: bytes.Join([][]byte{e.KeyName, e.MoreName}, []byte(":"))}
	_ = longest.checkPayload(0) // fits, or there would be no MoreName
	return longest
}

// ParseNamed is Parse where the names of some keys are known. It finds a name that holds a
// colon whole: of those that the value goes on with, the longest counts, unless the layout of
// the payload tells of a longer one.
func ParseNamed(value []byte, off int64, names []Name) (Envelope, error) {
	e, err := Parse(value, off)
	if !e.Provider.Encrypts() || len(names) == 0 {
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
	if longest < 0 || len(names[longest].Name) <= len(e.KeyName) {
		return e, err
	}
	end := start + len(names[longest].Name)
	named := Envelope{Provider: e.Provider, Version: e.Version, KeyName: clip(value[start:end]), Payload: clip(value[end+1:])}
	named.MoreName = moreName(named.Payload, e.Provider.scheme())
	return named, named.checkPayload(off + int64(end) + 1)
}
