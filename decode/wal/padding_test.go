package wal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/etcdsift/etcdsift/decode"
)

// withoutPadding is a segment as etcd 2.0 to 2.2 would have written it up to the frame of that
// number, and as a later one goes on with it. Those etcds preallocated nothing.
func withoutPadding(t testing.TB, b []byte, until int) (out []byte, starts []int) {
	t.Helper()
	for i, at := range frames(t, b) {
		record, padding, ok := frameSize(b[at:])
		if !ok {
			t.Fatalf("no frame at %d", at)
		}
		starts = append(starts, len(out))
		if i < until {
			out = binary.LittleEndian.AppendUint64(out, uint64(record))
			out = append(out, b[at+lengthSize:at+lengthSize+int(record)]...)
			continue
		}
		out = append(out, b[at:at+lengthSize+int(record+padding)]...)
	}
	return out, starts
}

// Frames without padding hold what those with it hold, wherever a later etcd began to pad them, and
// in any segment of the log.
func TestWithoutPadding(t *testing.T) {
	files := makeLog(t, 60, 1<<13)
	if len(files) < 2 {
		t.Fatal("one segment is too few")
	}
	want := read(t, files...)
	rapid.Check(t, func(r *rapid.T) {
		n := rapid.IntRange(0, len(files)).Draw(r, "old segments")
		var old []segmentFile
		for i, f := range files {
			until := 1 << 20
			switch {
			case i == n:
				until = rapid.IntRange(0, 30).Draw(r, "old frames")
			case i > n:
				until = 0
			}
			b, _ := withoutPadding(t, f.data, until)
			old = append(old, segmentFile{f.name, b})
		}
		got := read(t, old...)
		if diff := cmp.Diff(want.entries, got.entries); diff != "" || len(got.flaws) > 0 || got.puts != want.puts {
			r.Errorf("%d puts, want %d; damage %v; entries (-want +got):\n%s", got.puts, want.puts, got.flaws, diff)
		}
	})
}

// Damage costs what it touches, although the next frame may start at any byte.
func TestDamageWithoutPadding(t *testing.T) {
	files := makeLog(t, 60, 1<<16)
	whole, starts := withoutPadding(t, files[0].data, 1<<20)
	middle, last := starts[len(starts)/2], starts[len(starts)-1]
	for _, tt := range []struct {
		name    string
		change  func([]byte) []byte
		want    error // nil for none
		torn    int
		entries int // at least
	}{
		{"a flipped byte in a value", func(b []byte) []byte { b[middle+60] ^= 1; return b }, decode.ErrChecksum, 0, 60},
		{"a flipped byte in a length", func(b []byte) []byte { b[middle+2] ^= 0x40; return b }, decode.ErrValue, 0, 58},
		{"the first length", func(b []byte) []byte { b[1] = 1; return b }, decode.ErrValue, 0, 59},
		{"garbage at the start", func(b []byte) []byte { copy(b, bytes.Repeat([]byte("x"), 601)); return b }, decode.ErrValue, 0, 50},
		{"garbage in the middle", func(b []byte) []byte { copy(b[middle:], bytes.Repeat([]byte("x"), 601)); return b }, decode.ErrValue, 0, 50},
		{"a hole", func(b []byte) []byte { clear(b[middle : middle+600]); return b }, decode.ErrMissing, 0, 50},
		{"a byte that is gone", func(b []byte) []byte { return slices.Delete(b, middle+9, middle+10) }, decode.ErrValue, 0, 58},
		{"cut in the last frame", func(b []byte) []byte { return b[:len(b)-3] }, nil, 1, 59},
		{"cut in a length", func(b []byte) []byte { return b[:last+3] }, nil, 1, 59},
		{"zeros behind it", func(b []byte) []byte { return append(b, make([]byte, 4099)...) }, nil, 0, 60},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := read(t, segmentFile{files[0].name, tt.change(bytes.Clone(whole))})
			found := slices.ContainsFunc(r.flaws, func(err error) bool { return errors.Is(err, tt.want) })
			if tt.want != nil && !found || tt.want == nil && len(r.flaws) > 0 {
				t.Errorf("damage %v, want %v", r.flaws, tt.want)
			}
			if r.kinds[KindTorn] != tt.torn || len(r.entries) < tt.entries {
				t.Errorf("%v, %d entries", r.kinds, len(r.entries))
			}
		})
	}
}

// A frame without padding in a log that has padding is damage: no etcd writes it.
func TestPaddingLost(t *testing.T) {
	b := makeLog(t, 12, 1<<16)[0].data
	starts := frames(t, b)
	for _, at := range starts[4:] {
		if b[at+7] == 0 {
			continue
		}
		b[at+7] = 0
		if r := read(t, segmentFile{"0000000000000000-0000000000000000.wal", b}); len(r.flaws) == 0 {
			t.Error("no damage")
		}
		return
	}
	t.Fatal("no frame has padding")
}
