package wal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"testing"

	"github.com/etcdsift/etcdsift/decode"
)

func TestDamage(t *testing.T) {
	files := makeLog(t, 60, 1<<16)
	whole := files[0].data
	starts := frames(t, whole)
	middle, last := starts[len(starts)/2], starts[len(starts)-1]
	end := last + 8 + int(binary.LittleEndian.Uint64(whole[last:])&(1<<56-1))
	end += (8 - end%8) % 8
	tests := []struct {
		name    string
		change  func([]byte) []byte
		want    []error // causes that must be among the damage
		torn    int
		gaps    int
		entries int // at least
	}{
		{"nothing", func(b []byte) []byte { return b }, nil, 0, 0, 60},
		{"a flipped byte in a value", func(b []byte) []byte { b[middle+60] ^= 1; return b }, []error{decode.ErrChecksum}, 0, 0, 60},
		{"a flipped byte in a length", func(b []byte) []byte { b[middle+2] ^= 0x40; return b }, []error{decode.ErrValue}, 0, 1, 58},
		{"a length of 2 GiB", func(b []byte) []byte { binary.LittleEndian.PutUint64(b[middle:], 2<<30); return b }, []error{decode.ErrValue}, 0, 1, 58},
		{"a negative length", func(b []byte) []byte { binary.LittleEndian.PutUint64(b[middle:], 1<<64-1); return b }, []error{decode.ErrValue}, 0, 1, 58},
		{"a hole", func(b []byte) []byte { clear(b[middle : middle+512]); return b }, []error{decode.ErrMissing}, 0, 1, 50},
		{"garbage in the middle", func(b []byte) []byte { copy(b[middle:], bytes.Repeat([]byte("x"), 600)); return b }, []error{decode.ErrValue}, 0, 1, 50},
		{"cut in the last frame", func(b []byte) []byte { return b[:end-9] }, nil, 1, 0, 59},
		{"cut in a length", func(b []byte) []byte { return b[:last+3] }, nil, 1, 0, 59},
		{"a last frame half written", func(b []byte) []byte { clear(b[(last+1023)/512*512:]); return b }, nil, -1, 0, 58},
		{"garbage behind the zeros", func(b []byte) []byte { copy(b[len(b)-100:], "what is this"); return b }, []error{decode.ErrMissing, decode.ErrValue}, 0, 1, 60},
		{"not padded with zeros", func(b []byte) []byte { return append(b[:end:end], "rest"...) }, nil, 1, 0, 60},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := read(t, segmentFile{files[0].name, tt.change(bytes.Clone(whole))})
			for _, want := range tt.want {
				if !slices.ContainsFunc(r.flaws, func(err error) bool { return errors.Is(err, want) }) {
					t.Errorf("no damage %v in %v", want, r.flaws)
				}
			}
			if len(tt.want) == 0 && len(r.flaws) > 0 {
				t.Errorf("damage %v", r.flaws)
			}
			if tt.torn >= 0 && r.kinds[KindTorn] != tt.torn || r.kinds[KindGap] != tt.gaps || len(r.entries) < tt.entries {
				t.Errorf("%v, %d entries", r.kinds, len(r.entries))
			}
		})
	}
}

// Of a put that was not written whole, what is there of its value is told.
func TestTornValue(t *testing.T) {
	files := makeLog(t, 24, 1<<16) // 24 is a put alone
	b := files[0].data
	at := bytes.Index(b, value(24))
	if at < 0 {
		t.Fatal("no value")
	}
	b = b[:at+100]
	var torn *Op
	for r, err := range Read(bytes.NewReader(b), int64(len(b)), nil, nil) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Kind == KindTorn && len(r.Entry.Ops) == 1 {
			torn = &r.Entry.Ops[0]
		}
	}
	if torn == nil || torn.Complete || !bytes.Equal(torn.Value, value(24)[:100]) || torn.ValueOff != int64(at) {
		t.Errorf("%+v", torn)
	}
}

func TestChain(t *testing.T) {
	files := makeLog(t, 400, 16<<10)
	other := makeClusterLog(t, 10, 400, 16<<10)
	renamed := files[2]
	renamed.name = Name{Seq: 2, Index: 9}.String()
	tests := []struct {
		name  string
		files []segmentFile
		want  error
	}{
		{"a segment is missing", slices.Concat(files[:2], files[3:]), decode.ErrMissing},
		{"out of order", []segmentFile{files[1], files[0]}, decode.ErrOrder},
		{"renamed", slices.Concat(files[:2], []segmentFile{renamed}, files[3:]), decode.ErrOrder},
		{"renamed, alone", []segmentFile{renamed}, decode.ErrOrder},
		{"of another cluster", slices.Concat(files[:2], other[2:]), decode.ErrValue},
		{"no name of a segment", []segmentFile{{"segment.wal", files[0].data}}, decode.ErrUnknown},
		{"another content under a name", slices.Concat(files[:1], []segmentFile{{files[1].name, files[2].data}}), decode.ErrMissing},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := read(t, tt.files...)
			if !slices.ContainsFunc(r.flaws, func(err error) bool { return errors.Is(err, tt.want) }) {
				t.Errorf("no damage %v in %v", tt.want, r.flaws)
			}
		})
	}
}

// A frame at which etcd refuses the log is the only one: what stands behind it goes on from the CRC that it
// names. Its metadata are no other cluster's, and its snapshot does not stand for entries.
func TestRefused(t *testing.T) {
	for _, kind := range []Kind{KindMetadata, KindEntry, KindState, KindSnapshot} {
		files := makeLog(t, 20, 1<<20)
		data := files[0].data
		for r, err := range Read(bytes.NewReader(data), int64(len(data)), nil, nil) {
			if err != nil || r.IsRefused() {
				t.Fatalf("%v, refused: %v", err, r.IsRefused())
			}
			if r.Kind == kind {
				_, inner, at := recordData(r.Bytes[lengthSize:])
				data[int(r.Off)+lengthSize+at+len(inner)-1] ^= 1
				break
			}
		}
		refused := 0
		var chain Chain
		for r, err := range chain.Read(bytes.NewReader(data), int64(len(data)), files[0].name, nil) {
			if err != nil && !errors.Is(err, decode.ErrChecksum) && kind != KindEntry {
				t.Errorf("%v: %v", kind, err)
			}
			if r.IsRefused() {
				if refused++; r.Kind != kind {
					t.Errorf("%v: a record of kind %v is refused", kind, r.Kind)
				}
			}
		}
		if refused != 1 {
			t.Errorf("%v: %d records are refused", kind, refused)
		}
	}
}

// A disk that does not give some sectors costs the frames in them, and is told.
func TestUnread(t *testing.T) {
	files := makeLog(t, 200, 1<<20)
	r := reading{kinds: map[Kind]int{}}
	b := files[0].data
	readSegment(t, &r, Read(failing{b, 8192, 12288}, int64(len(b)), nil, nil), failing{b, 8192, 12288}.zeroed())
	if !slices.ContainsFunc(r.flaws, func(err error) bool { return errors.Is(err, errDisk) }) {
		t.Errorf("flaws %v", r.flaws)
	}
	if len(r.entries) < 150 {
		t.Errorf("%d entries of 200", len(r.entries))
	}
}

var errDisk = errors.New("disk error")

type failing struct {
	b        []byte
	from, to int64
}

func (f failing) ReadAt(b []byte, off int64) (int, error) {
	if off < f.to && off+int64(len(b)) > f.from {
		return 0, errDisk
	}
	return copy(b, f.b[off:]), nil
}

func (f failing) zeroed() []byte {
	b := bytes.Clone(f.b)
	clear(b[f.from:f.to])
	return b
}
