package sweep

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/decode/carve"
	"github.com/etcdsift/etcdsift/fixtures/forged"
)

// What a stretch of bytes holds goes where its kind belongs: a record to the copies, an object
// to those without a key, an encrypted value to the ledger, and the rest to the pieces.
func TestCarveStretch(t *testing.T) {
	one := secret(t, 1)
	record := forged.Record{Rev: 4, Key: forged.SecretKey(1), Value: one}.Bytes(t)
	sealed := forged.Record{Rev: 4, Key: forged.SecretKey(1), Value: forged.Sealed("aescbc:v1:key1", "sealed")}.Bytes(t)
	text := []byte(strings.Repeat("a line of text\n", 20))
	tests := []struct {
		name    string
		b       []byte
		next    int64
		copies  []string
		unkeyed []string
		sealed  map[string]int
		pieces  []carve.Class
	}{
		{name: "nothing"},
		{name: "a record", b: record, copies: []string{"s-1 at 4: pieces"}},
		{name: "a record that is cut", b: record[:len(record)-10], copies: []string{"s-1 at 4: pieces, not complete"}},
		{name: "a record that the next stretch has", b: slices.Concat(text, record), next: int64(len(text)), pieces: []carve.Class{carve.Text}},
		{name: "a tombstone", b: forged.Record{Rev: 4, Key: forged.SecretKey(1), Tombstone: true}.Bytes(t)},
		{name: "an object", b: one, unkeyed: []string{"default/s-1"}},
		{name: "a record of an encrypted value", b: sealed, sealed: map[string]int{"aescbc:key1": 1}},
		{name: "an encrypted value alone", b: forged.Sealed("secretbox:v1:key2", "alone"), sealed: map[string]int{"secretbox:key2": 1}},
		{name: "text", b: text, pieces: []carve.Class{carve.Text}},
		{name: "what looks random", b: forged.Noise("random", 1000), pieces: []carve.Class{carve.Random}},
		{name: "a record between both", b: slices.Concat(text, record, make([]byte, 8), forged.Noise("random", 1000)),
			copies: []string{"s-1 at 4: pieces"}, pieces: []carve.Class{carve.Text, carve.Random}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ev := newEvidence(tt.b)
			carveStretch(ev, stretch{file: seen.DBFile, place: seen.InPieces, data: tt.b, block: forged.PageSize, next: tt.next})
			if diff := cmp.Diff(tt.copies, copiesOf(ev), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("copies (-want +got):\n%s", diff)
			}
			var unkeyed []string
			for _, o := range ev.Unkeyed {
				unkeyed = append(unkeyed, o.Namespace+"/"+o.Name)
			}
			if diff := cmp.Diff(tt.unkeyed, unkeyed); diff != "" {
				t.Errorf("objects without a key (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.sealed, sealedValues(ev), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("encrypted values (-want +got):\n%s", diff)
			}
			var pieces []carve.Class
			for _, p := range ev.Pieces {
				pieces = append(pieces, p.Class)
			}
			if diff := cmp.Diff(tt.pieces, pieces); diff != "" {
				t.Errorf("pieces (-want +got):\n%s", diff)
			}
		})
	}
}

// Behind the high water mark, and in the slack of a page of the tree, is residue, too.
func TestCarvePlaces(t *testing.T) {
	record := forged.Record{Rev: 4, Key: forged.SecretKey(2), Value: secret(t, 2)}.Bytes(t)
	slack := freeDB(t, nil)
	copy(slack[4*forged.PageSize-1000:], record)
	tail := append(freeDB(t, nil), make([]byte, forged.PageSize)...)
	copy(tail[6*forged.PageSize+100:], record)
	for want, b := range map[string][]byte{"s-2 at 4: pieces": slack, "s-2 at 4: tail": tail} {
		ev := sweepDB(t, b)
		if diff := cmp.Diff([]string{want}, copiesOf(ev)); diff != "" {
			t.Errorf("copies (-want +got):\n%s", diff)
		}
		if at := ev.Copies.At(0); int(at.Off) != bytes.Index(b, secret(t, 2)) || ev.Residue.Fragments != 1 {
			t.Errorf("%s: at %#x; %+v", want, at.Off, ev.Residue)
		}
	}
}
