package analyzer

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"runtime"
	"testing"

	"github.com/etcdsift/etcdsift/analyzer/evidence"
	"github.com/etcdsift/etcdsift/analyzer/internal/judge"
	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/fixtures"
	"github.com/etcdsift/etcdsift/fixtures/forged"
)

// hostile is a snapshot with a free page that a test may write to: where it starts,
// and what of the file is its.
func hostile(t *testing.T) (db []byte, free []byte, id uint64) {
	t.Helper()
	b := snapshotBytes(t, "deleted-compacted")
	db = bytes.Clone(b[:len(b)-evidence.SnapshotHashSize])
	m, err := fixtures.MapPages(db)
	if err != nil || len(m.Free) == 0 {
		t.Fatalf("%v free pages, %v", m.Free, err)
	}
	id = m.Free[len(m.Free)-1]
	free = db[id*uint64(m.PageSize):][:m.PageSize]
	clear(free)
	return db, free, id
}

// tellAll is a Secret, payments/tell-all, as an API server stores it.
var tellAll = []byte("k8s\x00\n\x0c\n\x02v1\x12\x06Secret\x12\x2a\n\x16\n\x08tell-all\x12\x00\x1a\x08payments\x12\x10\n\x03key\x12\x09tell-tale")

// What a free page claims costs nothing and hides nothing: a plaintext Secret on it
// is found, and bytes of free pages are no damage.
func TestHostileFreePages(t *testing.T) {
	tests := []struct {
		name  string
		write func(free []byte, id uint64)
	}{
		{"overflow past the end", func(b []byte, id uint64) { forged.Header{ID: id, Flags: forged.FlagLeaf, Overflow: 1<<32 - 1}.Put(b) }},
		{"65535 elements", func(b []byte, id uint64) { forged.Header{ID: id, Flags: forged.FlagLeaf, Count: 1<<16 - 1}.Put(b) }},
		{"a value of 2 GiB", func(b []byte, id uint64) {
			forged.Header{ID: id, Flags: forged.FlagLeaf, Count: 1}.Put(b)
			forged.PutElement(b, 0, 0, 16, 17, 2<<30)
		}},
		{"elements that overlap", func(b []byte, id uint64) {
			forged.Header{ID: id, Flags: forged.FlagLeaf, Count: 3}.Put(b)
			for i := range 3 {
				forged.PutElement(b, i, 0, uint32(64-16*i), 17, 3000)
			}
		}},
		{"a branch page", func(b []byte, id uint64) {
			forged.Header{ID: id, Flags: forged.FlagBranch, Count: 20, Overflow: 7}.Put(b)
		}},
		{"a freelist of billions", func(b []byte, id uint64) {
			forged.Header{ID: id, Flags: forged.FlagFreelist, Count: 1<<16 - 1}.Put(b)
			binary.LittleEndian.PutUint64(b[16:], 1<<62)
		}},
		{"the header of another page", func(b []byte, id uint64) {
			forged.Header{ID: id + 1, Flags: forged.FlagLeaf, Count: 3, Overflow: 3}.Put(b)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			db, free, id := hostile(t)
			copy(free[2000:], tellAll)
			tt.write(free, id)
			r, _ := run(t, Options{FailOn: report.SeverityHigh}, inMemory(db))
			if len(r.Coverage.Damage) > 0 || r.Verdict.ExitStatus != report.ExitFindings {
				t.Errorf("%+v %v", r.Verdict, r.Coverage.Damage)
			}
			at := id*4096 + 2000
			for _, x := range r.Exposures {
				if x.Name == "tell-all" && x.Namespace == "payments" && x.Copies[0].Region == report.RegionFragment && uint64(x.Copies[0].Offset) == at {
					return
				}
			}
			if tt.name != "a freelist of billions" { // whose list would be all of the page
				t.Error("the Secret is not found")
			}
		})
	}
}

// A hundred thousand tiny fragments: a bounded list, bounded memory, and not clean.
func TestManyFragments(t *testing.T) {
	b := snapshotBytes(t, "empty")
	db := bytes.Clone(b[:len(b)-evidence.SnapshotHashSize])
	const pages, parts = 25_000, 4
	tail := make([]byte, pages*4096)
	for i := range pages * parts {
		copy(tail[i*1024+100:], fmt.Sprintf("fragment %d is a little piece of text, of nothing known", i))
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	r, _ := run(t, Options{FailOn: report.SeverityHigh, AllowEmpty: true}, inMemory(append(db, tail...)))
	runtime.ReadMemStats(&after)
	c := r.Coverage
	if len(c.Unattributed) != judge.MaxExtents || c.UnattributedMore != pages*parts-judge.MaxExtents {
		t.Errorf("%d extents, and %d more", len(c.Unattributed), c.UnattributedMore)
	}
	if r.Verdict.Status != report.StatusUnattributed || r.Verdict.ExitStatus != report.ExitClean || !r.Verdict.Complete {
		t.Errorf("verdict %+v", r.Verdict)
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > 4*uint64(len(tail)) {
		t.Errorf("%d MiB allocated for a file of %d MiB", n>>20, len(tail)>>20)
	}
}

// More pieces than are compared with known values is a limit, and so incomplete.
func TestTooManyPieces(t *testing.T) {
	b := snapshotBytes(t, "empty")
	db := bytes.Clone(b[:len(b)-evidence.SnapshotHashSize])
	tail := make([]byte, (seen.MaxPieces/16+10)*4096)
	for i := range len(tail) / 256 {
		copy(tail[i*256+10:], fmt.Sprintf("%d: a little piece of text", i))
	}
	r, _ := run(t, Options{FailOn: report.SeverityHigh}, inMemory(append(db, tail...)))
	if r.Verdict.ExitStatus != report.ExitIncomplete || r.Verdict.Complete {
		t.Errorf("verdict %+v", r.Verdict)
	}
}

// Bytes in the slack of a page of the tree, which bbolt leaves zero, and past the high
// water mark are looked at too.
func TestSlackAndTail(t *testing.T) {
	for _, want := range []report.Region{report.RegionFragment, report.RegionTail} {
		b := snapshotBytes(t, "deleted-compacted")
		db := bytes.Clone(b[:len(b)-evidence.SnapshotHashSize])
		m, err := fixtures.MapPages(db)
		if err != nil {
			t.Fatal(err)
		}
		at := len(db) + 100
		if want == report.RegionTail {
			db = append(db, make([]byte, 3*m.PageSize)...)
		} else {
			at = slackIn(db, m)
		}
		copy(db[at:], tellAll)
		r, _ := run(t, Options{FailOn: report.SeverityHigh}, inMemory(db))
		found := false
		for _, x := range r.Exposures {
			found = found || x.Name == "tell-all" && len(x.Copies) == 1 && x.Copies[0].Region == want && x.Copies[0].Offset == int64(at)
		}
		if !found || len(r.Coverage.Damage) > 0 {
			t.Errorf("%s at %#x: not found, or damage: %v", want, at, r.Coverage.Damage)
		}
	}
}

// slackIn is where zeros end a page of the tree.
func slackIn(db []byte, m fixtures.PageMap) int {
	for _, id := range m.Leaves {
		end := (int(id) + 1) * m.PageSize
		if bytes.Count(db[end-300:end], []byte{0}) == 300 {
			return end - 200
		}
	}
	return len(db)
}
