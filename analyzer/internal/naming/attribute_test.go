package naming

import (
	"bytes"
	"strings"
	"testing"

	"github.com/etcdsift/etcdsift/analyzer/evidence"
	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/decode/carve"
	"github.com/etcdsift/etcdsift/decode/envelope"
	"github.com/etcdsift/etcdsift/fixtures/forged"
)

// piece adds bytes that say nothing of themselves.
func (tb *table) piece(b []byte) {
	tb.ev.Pieces = append(tb.ev.Pieces, seen.Piece{Off: tb.write(b), Size: int32(len(b)), File: seen.DBFile, Class: carve.Classify(b)})
}

// A piece whose bytes a known value has is a copy of that value; any other belongs to nothing.
func TestAttribute(t *testing.T) {
	const key, other = "/registry/secrets/payments/db", "/registry/configmaps/payments/c"
	long := func(name string) []byte {
		return append(secret(t, "payments", name), bytes.Repeat([]byte("the long value of "+name+". "), 40)...)
	}
	value := long("db")
	middle := value[len(value)/3 : len(value)-50]
	config := bytes.Replace(long("config"), []byte("Secret"), []byte("Sphere"), 1)
	tests := []struct {
		name         string
		pieces       [][]byte
		owned        int64 // bytes of copies of the Secret that were pieces
		start        bool  // the first starts where the value does
		other        int64 // bytes of values that the run is not about
		unattributed int64
	}{
		{"none", nil, 0, false, 0, 0},
		{"from the middle of the value", [][]byte{middle}, int64(len(middle)), false, 0, 0},
		{"its start", [][]byte{value[:200]}, 200, true, 0, 0},
		{"side by side they are one", [][]byte{middle[:200], middle[200:400]}, 400, false, 0, 0},
		{"of a value of another resource", [][]byte{config[200:400]}, 0, false, 200, 0},
		{"of nothing known", [][]byte{[]byte("a text that stands in no value of this file, whatever its key is, and has some length")}, 0, false, 0, 85},
		{"too short to tell", [][]byte{value[300:308]}, 0, false, 0, 8},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tb := newTable(t)
			tb.put(key, 7, forged.Sealed("aescbc:v1:key1", "x"))
			tb.copy(key, 5, seen.InPieces, value)
			tb.copy(other, 6, seen.InPieces, config)
			tb.write(make([]byte, 64))
			for _, p := range tt.pieces {
				tb.piece(p)
			}
			ev := tb.learned()
			if err := Attribute(t.Context(), []*seen.Evidence{ev}); err != nil {
				t.Fatal(err)
			}
			var owned, unattributed int64
			start := false
			for _, at := range ev.Copies.All() {
				if at.Owned {
					owned += at.Size
					start = start || at.Object
					if at.Key != key || at.Rev.Main != 5 || at.Reread {
						t.Errorf("%+v", *at)
					}
				}
			}
			for _, p := range ev.Unattributed {
				unattributed += int64(p.Size)
			}
			if owned != tt.owned || start != tt.start || ev.Residue.Other != tt.other || unattributed != tt.unattributed || len(ev.Pieces) > 0 {
				t.Errorf("%d bytes of the Secret from its start %v, %d of others, %d of nothing; want %d, %v, %d, %d",
					owned, start, ev.Residue.Other, unattributed, tt.owned, tt.start, tt.other, tt.unattributed)
			}
		})
	}
}

// The value may be in another file of the run; bytes of two revisions tell no revision; and what
// was not compared is damage.
func TestAttributeElsewhere(t *testing.T) {
	const key = "/registry/secrets/payments/db"
	value := append(secret(t, "payments", "db"), bytes.Repeat([]byte("a value of some length. "), 40)...)
	one, two := newTable(t), newTable(t)
	two.interest, two.ev.Interest = one.interest, one.interest
	one.copy(key, 5, seen.InPieces, value)
	one.copy(key, 6, seen.InPieces, append(bytes.Clone(value), "changed"...))
	two.piece(value[100:400])
	two.ev.SkippedPieceBytes = 10
	evs := []*seen.Evidence{one.learned(), two.learned()}
	if err := Attribute(t.Context(), evs); err != nil {
		t.Fatal(err)
	}
	if n := evs[1].Copies.Len(); n != 1 || len(evs[1].Unattributed) > 0 {
		t.Fatalf("%d copies, %d bytes of nothing known", n, len(evs[1].Unattributed))
	}
	if at := evs[1].Copies.At(0); at.Key != key || at.Rev.Main != 0 || at.Size != 300 || !at.Owned {
		t.Errorf("%+v", *at)
	}
	if len(evs[1].Damage) != 1 || len(evs[0].Damage) > 0 {
		t.Errorf("damage %+v, %+v", evs[0].Damage, evs[1].Damage)
	}
}

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
