package naming

import (
	"bytes"
	"strings"
	"testing"

	"github.com/etcdsift/etcdsift/analyzer/evidence"
	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/decode/carve"
	"github.com/etcdsift/etcdsift/decode/envelope"
)

// TestAttributeWork counts the bytes of pieces that are read to compare them with a value, where
// value and pieces repeat one sentence. Every place of the value is a candidate for every piece.
func TestAttributeWork(t *testing.T) {
	const page = 4096
	sentence := "The quick brown fox jumps over the lazy dog, and back. "
	for _, c := range []struct {
		name   string
		period string // of the pieces
		room   int64  // bytes that may be read, for each byte of value and pieces
	}{
		{"the same sentence", sentence, 2},
		{"a sentence that is mostly the same", strings.Replace(sentence, "back. ", "home? ", 1), compareEffort},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := []byte(strings.Repeat(c.period, 4<<20/len(c.period)))
			ev := seen.New(evidence.Source{Path: "db", File: bytes.NewReader(file), Size: int64(len(file))},
				seen.NewInterest(seen.Want{Sealed: func(envelope.Envelope, uint64) {}}))
			for off := int64(0); off+page <= ev.Size; off += page {
				ev.Pieces = append(ev.Pieces, seen.Piece{Off: off, Size: page, File: seen.DBFile, Class: carve.Text})
			}
			a := newAttributor([]*seen.Evidence{ev})
			if len(a.pieces) == 0 {
				t.Fatal("no piece is compared")
			}
			a.room = 0 // what there is whatever the values are would hide the rest
			value := []byte(strings.Repeat(sentence, 4<<20/len(sentence)))
			a.compare(&seen.Value{In: seen.New(evidence.Source{Path: "other"}, ev.Interest), Key: []byte("/a"), Value: value, Place: seen.InTree, File: seen.DBFile})
			read := compareEffort*int64(len(value)) - a.room
			if most := c.room * (int64(len(value)) + int64(len(file))); read > most {
				t.Errorf("%d bytes were read for a value of %d and pieces of %d bytes, at most %d should be", read, len(value), len(file), most)
			}
			owned := 0
			for number := range a.pieces {
				for _, o := range a.owners[number] {
					owned += int(o.hi - o.lo)
				}
			}
			if same := c.period == sentence; same != (owned == page*len(a.pieces)) {
				t.Errorf("%d bytes of %d pieces have an owner", owned, len(a.pieces))
			}
		})
	}
}
