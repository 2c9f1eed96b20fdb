package page

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/etcdsift/etcdsift/decode"
	"github.com/etcdsift/etcdsift/fixtures/alloc"
)

const stderrLine = "Defaulted container \"etcd\" out of: etcd, etcd-metrics\n"

// withHash is the db up to its high water mark, as a snapshot has it, and its hash.
func withHash(b []byte, w witness) []byte {
	b = b[:w.HighSize:w.HighSize]
	sum := sha256.Sum256(b)
	return append(b, sum[:]...)
}

func TestLocate(t *testing.T) {
	long := strings.Repeat(stderrLine, MaxAround/len(stderrLine))
	for _, pageSize := range []int{1024, 4096, 65536} {
		b, w := makeDB(t, boltOptions(pageSize), putKeys("key", 300, 200))
		snapshot, bare := withHash(b, w), b
		brokenMeta := bytes.Clone(snapshot)
		brokenMeta[HeaderSize+60]++
		for name, db := range map[string][]byte{
			"snapshot": snapshot, "db without a hash": snapshot[:w.HighSize], "db with a tail": bare, "big-endian": toBigEndian(snapshot[:w.HighSize]),
			"meta 0 broken": brokenMeta,
		} {
			for _, before := range []string{"", "\n", stderrLine, long} {
				for _, behind := range []string{"", "\n", "0123456789012345678901234567890\n", stderrLine, "\ufefferror: sä\r\n"} {
					file := slices.Concat([]byte(before), db, []byte(behind))
					got, err := Locate(bytes.NewReader(file), int64(len(file)))
					if want := (Extent{int64(len(before)), int64(len(db))}); err != nil || got != want {
						t.Errorf("%s, pages of %d, %d bytes before and %d behind: %v, %v, want %v", name, pageSize, len(before), len(behind), got, err, want)
					}
				}
			}
		}
	}
}

// What is no text behind a db may be a part of it, and a db that is cut has no end to look for.
func TestLocateAll(t *testing.T) {
	b, w := makeDB(t, boltOptions(4096), putKeys("key", 300, 200))
	snapshot := withHash(b, w)
	for name, file := range map[string][]byte{
		"bytes behind the hash": append(slices.Clone(snapshot), 0, 1, 2),
		"text in the tail":      slices.Concat(b[:w.HighSize], bytes.Repeat([]byte("text"), MaxAround)),
		"cut before text":       append(slices.Clone(snapshot[:w.HighSize-5000]), stderrLine...),
	} {
		if got, err := Locate(bytes.NewReader(file), int64(len(file))); err != nil || got != (Extent{0, int64(len(file))}) {
			t.Errorf("%s: %v of %d bytes, %v", name, got, len(file), err)
		}
	}
	far := append(bytes.Repeat([]byte("x"), MaxAround+1), snapshot...)
	if got, err := Locate(bytes.NewReader(far), int64(len(far))); !errors.Is(err, decode.ErrMagic) {
		t.Errorf("behind too much text: %v, %v", got, err)
	}
}

// A message among the pages is found within a page of where it is.
func TestInserted(t *testing.T) {
	b, w := makeDB(t, boltOptions(1024), putKeys("key", 600, 200))
	snapshot := withHash(b, w)
	find := func(file []byte) (n, off, end int64, ok bool) {
		f, err := Open(bytes.NewReader(file), int64(len(file)))
		if err != nil {
			return 0, 0, 0, false
		}
		return f.Inserted()
	}
	if n, _, _, ok := find(snapshot); ok {
		t.Errorf("%d bytes too many in a healthy snapshot", n)
	}
	rapid.Check(t, func(t *rapid.T) {
		db := snapshot
		if rapid.Bool().Draw(t, "without hash") {
			db = db[:w.HighSize]
		}
		at := rapid.IntRange(2048, int(w.HighSize)-3*1024).Draw(t, "at")
		message := stderrLine[:rapid.IntRange(1, len(stderrLine)).Draw(t, "length")]
		n, off, end, ok := find(slices.Concat(db[:at], []byte(message), db[at:]))
		if !ok || n != int64(len(message)) || off > int64(at) || int64(at) > end {
			t.Fatalf("%d bytes at %d: found %v, %d bytes from %d to %d", len(message), at, ok, n, off, end)
		}
	})
}

var headBound = alloc.Bound{Fixed: 4 << 20, PerByte: 64}

func FuzzLocate(f *testing.F) {
	for _, steps := range fuzzSteps() {
		b, w := makeDB(f, boltOptions(1024), steps...)
		snapshot := withHash(b, w)
		f.Add(snapshot, uint16(0))
		f.Add(append(append([]byte(stderrLine), snapshot...), "exit code 1\n"...), uint16(len(stderrLine)))
		f.Add(toBigEndian(b[:w.HighSize]), uint16(0))
		f.Add(bytes.ReplaceAll(snapshot, []byte("\n"), []byte("\r\n")), uint16(0))
		f.Add(utf16Of(snapshot, windows1252), uint16(0))
		for _, highWater := range []uint64{0, 1, 2} { // lower than any of bbolt's
			low := bytes.Clone(snapshot)
			for _, meta := range []int{HeaderSize, 1024 + HeaderSize} {
				binary.LittleEndian.PutUint64(low[meta+40:], highWater)
				signMeta(low[meta:meta+metaSize], false)
			}
			f.Add(low, uint16(0))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte, start uint16) {
		if int(start) < len(b) { // else most metas would have a wrong checksum
			b = bytes.Clone(b)
			signMetas(b[start:])
		}
		r, size := bytes.NewReader(b), int64(len(b))
		var at Extent
		headBound.Check(t, len(b), func() {
			at, _ = Locate(r, size)
			DetectConversion(r, size)
		})
		if at.Off < 0 || at.Size < 0 || at.Off > MaxAround || at.Off+at.Size > size {
			t.Fatalf("%v in a file of %d bytes", at, size)
		}
		if at.Size == 0 {
			return
		}
		if behind := b[at.Off+at.Size:]; len(behind) > 0 && !IsText(behind) {
			t.Errorf("%d bytes behind %v are no text", len(behind), at)
		}
		if again, err := Locate(bytes.NewReader(b[at.Off:at.Off+at.Size]), at.Size); err != nil || again.Off != 0 {
			t.Errorf("%v located once more: %v, %v", at, again, err)
		}
		if file, err := Open(bytes.NewReader(b[at.Off:]), at.Size); err == nil {
			file.RootBuckets()
			if n, off, end, ok := file.Inserted(); ok && (n <= 0 || off < 0 || end <= off || off > size) {
				t.Errorf("%d bytes inserted from %d to %d of %d", n, off, end, size)
			}
		}
	})
}
