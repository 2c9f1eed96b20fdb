package wal

import (
	"bytes"
	"fmt"
	"io"
	"iter"

	"github.com/etcdsift/etcdsift/decode"
	"github.com/etcdsift/etcdsift/decode/internal/raw"
	"github.com/etcdsift/etcdsift/decode/internal/wire"
)

// Read reads a segment of size bytes once, in order, and yields what it is made of:
// each byte is in exactly one Record. Damage comes as a *decode.FormatError with the
// zero Record before the one that it concerns, and the sequence goes on. Its causes:
//
//	ErrChecksum   a record whose CRC is not that of its data and all before it
//	ErrValue      bytes that are no frame, or a record that does not parse
//	ErrMissing    zeros with frames behind them
//	I/O errors    what the disk did not give; its bytes count as zeros
//
// Zeros up to the end are not damage, nor is a last frame that etcd did not write whole.
// before is the CRC at the end of the segment before; nil if not known. Read calls tap,
// unless it is nil, from another goroutine with all bytes that it could read, in file order;
// the last call has returned when Read is done.
func Read(r io.ReaderAt, size int64, before *uint32, tap func(off int64, b []byte)) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		source := newSource(r, size, tap)
		defer source.close()
		s := &segment{buffer: buffer{source: source}, size: size, decoder: newFrameDecoder(), effort: size + maxEffort, yield: yield}
		if before != nil {
			s.decoder.UpdateCRC(*before)
			s.known = true
		}
		for off := int64(0); off < size && !s.stopped; {
			off = s.next(off)
		}
		s.tellUnread()
	}
}

type segment struct {
	buffer
	size    int64
	decoder *frameDecoder
	known   bool  // the CRC so far
	odd     bool  // frames may start at any offset, because those so far have no padding
	padded  bool  // a frame has padding
	effort  int64 // how many more bytes isFrame may look at
	yield   func(Record, error) bool
	stopped bool
}

func (s *segment) emit(r Record) {
	if !s.stopped && !s.yield(r, nil) {
		s.stopped = true
	}
}

func (s *segment) damage(off int64, what string, cause error) {
	err := &decode.FormatError{Off: off, What: what, Err: cause}
	if !s.stopped && !s.yield(Record{}, err) {
		s.stopped = true
	}
}

func (s *segment) tellUnread() {
	for _, u := range s.lost() {
		s.damage(u.off, fmt.Sprintf("%d bytes", u.n), u.err)
	}
}

// next yields what stands at off, and returns where that ends.
func (s *segment) next(off int64) int64 {
	b := s.at(off, lengthSize)
	s.tellUnread()
	if len(b) == 0 {
		return s.size // the file has shrunk
	}
	if raw.IsZero(b) {
		return s.zeros(off)
	}
	frame, ok := s.frame(off)
	if !ok {
		return s.noFrame(off)
	}
	r := Record{Off: off, Len: int64(len(frame)), Bytes: frame}
	record, _, _ := frameSize(frame)
	err := s.decoder.decode(frame)
	if err == decode.ErrValue || err == decode.ErrChecksum && s.known && isTorn(frame, off) {
		return s.noFrame(off)
	}
	s.take(&r, frame[lengthSize:lengthSize+record], err)
	s.odd = s.odd || (off+r.Len)%lengthSize != 0
	s.padded = s.padded || record%lengthSize != 0 && r.Len%lengthSize == 0
	return off + r.Len
}

// frame is the whole frame at off; false if its length is not one, or runs past the end of
// the file.
func (s *segment) frame(off int64) ([]byte, bool) {
	record, padding, ok := s.fits(off)
	if !ok {
		return nil, false
	}
	return s.peek(off, int(lengthSize+record+padding)), true
}

// fits is the size of the frame at off; false if its length is not one, or runs past the end of
// the file.
func (s *segment) fits(off int64) (record, padding int64, ok bool) {
	length := s.peek(off, lengthSize)
	if len(length) < lengthSize {
		return 0, 0, false
	}
	record, padding, ok = s.frameSize(length)
	return record, padding, ok && record+padding <= s.size-off-lengthSize
}

// frameSize is the function of that name for a frame of this segment: an etcd that goes on with the
// log of an older one pads its frames, and behind those none is without padding.
func (s *segment) frameSize(length []byte) (record, padding int64, ok bool) {
	record, padding, ok = frameSize(length)
	return record, padding, ok && !(s.padded && (record+padding)%lengthSize != 0)
}

// take yields the record of a frame. err is the decoder's.
func (s *segment) take(r *Record, record []byte, err error) {
	rec := &s.decoder.record
	r.Kind, r.CRC = Kind(rec.GetType()), rec.GetCrc()
	r.Verified = err == nil && s.known
	if r.Kind == KindCRC {
		r.Verified = s.known && s.decoder.LastCRC() == r.CRC
		if s.known && !r.Verified {
			r.Damaged = true
			s.damage(r.Off, "crc record, which does not go on from the records before it", decode.ErrChecksum)
		}
	} else if err != nil && s.known {
		r.Damaged = true
		s.damage(r.Off, fmt.Sprintf("%v record of %d bytes", r.Kind, len(record)), decode.ErrChecksum)
	}
	s.decoder.UpdateCRC(r.CRC)
	s.known = true
	_, data, at := recordData(record)
	if err := r.decode(data, r.Off+lengthSize+int64(at)); err != nil && !r.Damaged {
		r.Damaged = true
		if !s.stopped && !s.yield(Record{}, err) {
			s.stopped = true
		}
	}
	s.emit(*r)
}

// zeros yields the zeros from off on. Nothing follows those that etcd preallocated.
func (s *segment) zeros(off int64) int64 {
	end := off
	for end < s.size {
		b := s.at(end, 1<<16)
		if len(b) == 0 {
			break
		}
		if !raw.IsZero(b) {
			n := 0
			for b[n] == 0 {
				n++
			}
			end += int64(n)
			end -= (end - off) % lengthSize
			break
		}
		end += int64(len(b))
	}
	if end < s.size {
		s.damage(off, fmt.Sprintf("hole of %d zeros, behind which the log goes on", end-off), decode.ErrMissing)
		s.known = false
	}
	if end == off {
		return s.noFrame(off) // fewer than 8 of them
	}
	s.emit(Record{Kind: KindZeros, Off: off, Len: end - off})
	return end
}

// noFrame yields the bytes at off, which are not a frame, up to the next frame, as a gap.
// Where no frame follows, they are an unfinished last write, or a gap all the same, and then
// zeros up to the end.
func (s *segment) noFrame(off int64) int64 {
	t := s.torn(off)
	next, last := s.resync(off)
	s.tellUnread()
	if next < s.size {
		s.gap(off, next)
		s.known = false
		return next
	}
	end := min(s.size, off+(last-off+lengthSize-1)/lengthSize*lengthSize)
	if s.odd {
		end = last
	}
	if t.Len > 0 && last <= off+t.Len {
		s.emit(t)
		end = off + t.Len
	} else {
		s.gap(off, end)
	}
	if end < s.size {
		s.emit(Record{Kind: KindZeros, Off: end, Len: s.size - end})
	}
	return s.size
}

func (s *segment) gap(off, end int64) {
	s.damage(off, fmt.Sprintf("%d bytes that are no frame", end-off), decode.ErrValue)
	s.emit(Record{Kind: KindGap, Off: off, Len: end - off, Damaged: true})
}

// maxTorn bounds what Read keeps of a last frame.
const maxTorn = 64 << 20

// torn is the record at off, if it can be one that etcd did not write whole: the file ends in
// it, or a sector of it is zeros. Len is 0 if not.
func (s *segment) torn(off int64) Record {
	head := s.peek(off, lengthSize)
	r := Record{Kind: KindTorn, Off: off}
	if len(head) < lengthSize {
		r.Len = s.size - off
		return r
	}
	record, padding, ok := s.frameSize(head)
	if !ok {
		return r
	}
	length := min(lengthSize+record+padding, s.size-off)
	frame := s.peek(off, int(min(length, maxTorn)))
	if off+lengthSize+record+padding <= s.size && !isTorn(frame, off) {
		return r
	}
	r.Len, r.Bytes = length, bytes.Clone(frame)
	kind, data, at := recordData(r.Bytes[lengthSize:min(int64(len(r.Bytes)), lengthSize+record)])
	if kind == KindEntry {
		_ = r.decode(data, off+lengthSize+int64(at)) // that it is cut is known
	}
	return r
}

// resync finds the first frame behind off; s.size if there is no frame. last is behind the
// last byte before it that is not zero, or behind the word of that byte. Where the log begins
// with a gap nobody knows whether its frames have padding, so they may be anywhere.
func (s *segment) resync(off int64) (next, last int64) {
	const step = 1 << 16
	stride := lengthSize
	if s.odd || off == 0 {
		stride = 1
	}
	last = off
	for pos := off; pos < s.size; pos += step {
		b := s.at(pos, step+lengthSize+recordHead)
		part := b[:min(step, len(b))]
		if raw.IsZero(part) {
			continue
		}
		for i := 0; i < len(part); i += stride {
			if part[i] == 0 && raw.IsZero(part[i:min(i+lengthSize, len(part))]) {
				continue
			}
			if pos+int64(i) > off && looksLikeFrame(b[i:]) && s.isFrame(pos+int64(i)) {
				s.odd = s.odd || (pos+int64(i))%lengthSize != 0
				return pos + int64(i), last
			}
			if stride > 1 {
				last = pos + int64(min(i+stride, len(part)))
			} else if part[i] != 0 {
				last = pos + int64(i) + 1
			}
		}
	}
	return s.size, last
}

// recordHead is the start that every record has: the type and the tag of the CRC.
const recordHead = 3

// looksLikeFrame looks at the length and the first bytes of the record.
func looksLikeFrame(b []byte) bool {
	if len(b) < lengthSize+recordHead {
		return false
	}
	_, _, ok := frameSize(b)
	r := b[lengthSize:]
	return ok && r[0] == 1<<3 && byte(KindMetadata) <= r[1] && r[1] <= byte(KindSnapshot) && r[2] == 2<<3
}

// maxEffort is how many bytes isFrame may look at beyond the size of the segment. A frame that is
// no longer than what etcd writes costs nothing of note; bytes in which each word is the head of a
// long frame would cost the square of their length.
const maxEffort = 64 << 20

// isFrame reports whether a whole frame stands at off: its record parses, and the end, zeros
// or another length follows.
func (s *segment) isFrame(off int64) bool {
	record, padding, ok := s.fits(off)
	if !ok {
		return false
	}
	if s.effort -= lengthSize + record + padding; s.effort < 0 {
		return false
	}
	frame, _ := s.frame(off)
	if wire.Each(frame[lengthSize:lengthSize+record], func(wire.Field) error { return nil }) != nil {
		return false
	}
	behind := s.peek(off+int64(len(frame)), lengthSize)
	if len(behind) < lengthSize || raw.IsZero(behind) {
		return true
	}
	_, _, ok = s.frameSize(behind)
	return ok
}
