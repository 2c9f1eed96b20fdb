package carve

import (
	"bytes"

	"github.com/etcdsift/etcdsift/decode/envelope"
	"github.com/etcdsift/etcdsift/decode/internal/kubename"
	"github.com/etcdsift/etcdsift/decode/internal/unknown"
	"github.com/etcdsift/etcdsift/decode/internal/wire"
	"github.com/etcdsift/etcdsift/decode/object"
)

// A hit is a find before its bytes are cut out.
type hit struct {
	Find
	start, end int // of all that it covers
	value      int // where the value starts
	behind     int // bytes between the end of the value and end
	whole      bool
}

// next returns the first hit at or behind pos.
func (s *scanner) next(pos int) (hit, bool) {
	h, ok := s.search(&s.marks, pos, pos, len(s.b), anything)
	if ok {
		s.limit(&h)
	}
	return h, ok
}

// A want says which hits to look for.
type want uint8

const (
	anything want = iota
	starts        // what starts a value, but not JSON, which is often a part of one; only hit.start counts
	withHead      // records
)

// search returns the first hit that starts at or behind low, and whose mark lies
// from pos on and before end.
func (s *scanner) search(m *marks, low, pos, end int, w want) (hit, bool) {
	for {
		kind, at := m.from(pos, end)
		if kind == noMark {
			return hit{}, false
		}
		if h, ok := s.try(kind, low, at, w); ok {
			return h, true
		}
		pos = at + 1
	}
}

// try tells whether the mark at at makes a hit. The hit ends where it claims to.
func (s *scanner) try(kind mark, low, at int, w want) (hit, bool) {
	if kind == revisionMark {
		h, ok := s.headAfter(low, at)
		return s.record(h), ok
	}
	rest := s.b[at:]
	protobuf := kind == k8sMark && bytes.HasPrefix(rest, unknown.Magic)
	sealed := kind == k8sMark && bytes.HasPrefix(rest, envelopeMagic)
	if kind == k8sMark && !protobuf && !sealed {
		return hit{}, false
	}
	if h, ok := s.headBefore(low, at); ok {
		return s.record(h), true
	}
	switch {
	case w == withHead:
		return hit{}, false
	case protobuf:
		return s.object(at)
	case sealed && w == starts:
		_, _, ok := s.envelopePrefix(at)
		return hit{start: at}, ok
	case sealed:
		return s.envelope(at)
	case w == anything:
		return s.json(at)
	}
	return hit{}, false
}

// record makes a hit of what stands behind a head.
func (s *scanner) record(h head) hit {
	f := hit{Find: Find{Kind: Record, Head: h.Head, Claimed: h.length}, start: h.start, value: h.value}
	f.end = min(len(s.b), h.value+h.length)
	f.Complete = h.value+h.length <= len(s.b)
	if !f.Complete || h.Tombstone {
		return f
	}
	r := wire.Reader{B: s.b, Pos: f.end}
	if lease := r.Int64(tagLease); !r.Failed && lease > 0 {
		f.Lease, f.behind = lease, r.Pos-f.end
		f.end = r.Pos
	}
	return f
}

// object makes a hit of a protobuf object at at, if it has a type.
func (s *scanner) object(at int) (hit, bool) {
	u, ok := unknown.ParseStart(s.b[at:])
	if !ok {
		return hit{}, false
	}
	h := hit{Find: Find{Kind: Object, TypeMeta: object.TypeMeta{APIVersion: u.APIVersion, Kind: u.Kind}, Complete: u.Whole}, start: at, value: at}
	h.Namespace, h.Name = metaOf(u.Raw)
	h.end, h.whole = at+u.Size, u.Whole
	return h, true
}

// json makes a hit of a JSON object at at, if it has a type.
func (s *scanner) json(at int) (hit, bool) {
	if s.jsonBytes <= 0 || !mayBeTyped(s.b[at:]) {
		return hit{}, false
	}
	j := scanJSON(s.b[at:])
	t, first := j.typeMeta()
	both := t.APIVersion != "" && t.Kind != ""
	if !both && (j.whole || !first) {
		s.jsonBytes -= j.size
		return hit{}, false
	}
	h := hit{Find: Find{Kind: Object, TypeMeta: t, Complete: j.whole}, start: at, value: at, whole: j.whole}
	h.end = at + j.size
	h.Namespace, h.Name = j.names()
	if j.whole && h.end < len(s.b) && s.b[h.end] == '\n' {
		h.end++ // the API server puts one behind each object
	}
	return h, true
}

// envelope makes a hit of an encrypted value at at.
func (s *scanner) envelope(at int) (hit, bool) {
	prefix, provider, ok := s.envelopePrefix(at)
	if !ok {
		return hit{}, false
	}
	h := hit{Find: Find{Kind: Envelope}, start: at, value: at}
	if provider.HasObject() {
		if n, ok := kmsV2Size(s.b[at+prefix:]); ok {
			h.end, h.whole, h.Complete = at+prefix+n, true, true
			return h, true
		}
	}
	end := min(len(s.b), s.grid.after(at))
	ahead := s.marks
	if inner, ok := s.search(&ahead, at+prefix, at+prefix, end, starts); ok {
		end = inner.start
	}
	payload := s.b[at+prefix : max(at+prefix, end)]
	payload = bytes.TrimRight(payload[:textRun(payload)], "\x00")
	h.end = at + prefix + len(payload)
	return h, true
}

// maxKeyName bounds the name of a key or KMS plugin that the scanner believes without a head.
const maxKeyName = 256

// envelopePrefix returns the length of the prefix of an encrypted value at at, if what
// follows it can be a payload. Text about envelopes is not a prefix, nor is one with nothing
// behind it, unless b ends there.
func (s *scanner) envelopePrefix(at int) (size int, p envelope.Provider, ok bool) {
	value := s.b[at:min(len(s.b), at+maxKeyName+2*minText)]
	e, _ := envelope.Parse(value, 0)
	if n := len(e.KeyName); n == 0 || n > maxKeyName || !kubename.IsPrintable(string(e.KeyName)) {
		return 0, e.Provider, false
	}
	size = len(value) - len(e.Payload)
	start := bytes.TrimRight(e.Payload[:textRun(e.Payload)], "\x00")
	return size, e.Provider, len(start) > 0 || at+size == len(s.b)
}
