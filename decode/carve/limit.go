package carve

import (
	"bytes"

	"github.com/etcdsift/etcdsift/decode/envelope"
	"github.com/etcdsift/etcdsift/decode/internal/raw"
	"github.com/etcdsift/etcdsift/decode/internal/unknown"
)

// minChecked is the least length at which the part of a value in one block can tell that it
// does not belong there.
const minChecked = 64

// limit cuts a hit before the first block that cannot belong to it, and tells whether what is
// left is complete.
func (s *scanner) limit(h *hit) {
	s.endAtText(h)
	first := s.grid.after(h.value)
	if first >= h.end {
		return // all in one block
	}
	f := s.form(h)
	end := h.end
	if f.broken > 0 {
		end = max(first, s.grid.before(h.value+f.broken))
	}
	w := starts
	if h.whole {
		w = withHead
	}
	ahead := s.marks
	if inner, ok := s.search(&ahead, first, first, end, w); ok {
		end = s.grid.before(inner.start)
	}
	switch {
	case f.sealed:
		end = s.sealedEnd(first, end, h.value+f.random)
	case !h.whole:
		end = s.plainEnd(first, end)
	}
	if end < h.end {
		h.end, h.behind, h.Lease = end, 0, 0
		h.Complete = false
	}
	h.Complete = h.Complete && (h.whole || !f.framed)
}

// endAtText ends an encrypted value before 32 bytes of text, which no ciphertext has:
// plaintext must not hide behind the length that a ciphertext once had. A KMS value has text
// beside the ciphertext.
func (s *scanner) endAtText(h *hit) {
	end := h.end - h.behind
	if h.value >= end || !bytes.HasPrefix(s.b[h.value:end], envelopeMagic) {
		return
	}
	e, _ := envelope.Parse(s.b[h.value:end], 0)
	if !e.Provider.Encrypts() || e.Provider.IsKMS() {
		return
	}
	if n := textRun(e.Payload); n < len(e.Payload) {
		h.end, h.behind, h.Lease, h.Complete = end-len(e.Payload)+n, 0, 0, false
	}
}

// A form is what the bytes of a value say of its length.
type form struct {
	framed bool // its form tells whether it is whole
	broken int  // where its form breaks in the value, if it does
	sealed bool
	random int // how much of a sealed value should look random
}

// form looks at the value of a hit, and finds out whether that of a Record is whole.
func (s *scanner) form(h *hit) form {
	end := h.end - h.behind
	value := s.b[h.value:end]
	var f form
	switch {
	case bytes.HasPrefix(value, unknown.Magic):
		f.framed = true
		if h.Kind == Record {
			u, ok := unknown.ParseStart(value)
			h.whole = h.Complete && ok && u.Whole && u.Size == len(value)
		}
	case bytes.HasPrefix(value, jsonMagic):
		f.framed = true
		j := scanJSON(value)
		if j.broken {
			f.broken = j.size
		}
		if h.Kind == Record {
			h.whole = h.Complete && j.whole && len(bytes.TrimRight(value[j.size:], "\n")) == 0
		}
	case bytes.HasPrefix(value, envelopeMagic):
		f.sealed, f.random = true, len(value)
		if e, err := envelope.Parse(value, 0); err == nil {
			// The key ID and the annotations behind the ciphertext of KMS are text.
			f.random = len(value) - len(e.Payload) + len(e.Ciphertext())
		}
	}
	return f
}

// sealedEnd returns the start of the first block from first on, and before end,
// that does not look random before random.
func (s *scanner) sealedEnd(first, end, random int) int {
	for i := first; i < min(end, random); i = s.grid.after(i) {
		part := s.b[i:min(s.grid.after(i), end, random)]
		class := Classify(part)
		if class == Text || class != Random && len(part) >= minChecked {
			return i
		}
	}
	return end
}

// plainEnd returns the start of the first block from first on, and before end,
// that is zero or random.
func (s *scanner) plainEnd(first, end int) int {
	for i := first; i < end; i = s.grid.after(i) {
		part := s.b[i:min(s.grid.after(i), end)]
		if len(part) >= minChecked && (raw.IsZero(part) || Classify(part) == Random) {
			return i
		}
	}
	return end
}
