package analyzer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/etcdsift/etcdsift/analyzer/evidence"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode/resource"
	"github.com/etcdsift/etcdsift/fixtures"
)

// snapshotBytes is the snapshot of a scenario.
func snapshotBytes(t testing.TB, name string) []byte {
	t.Helper()
	scenario, err := fixtures.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(build(t, scenario).Snapshot)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Each kind of damage is reported with its place, and nothing damaged passes.
func TestDamage(t *testing.T) {
	db := snapshotBytes(t, "thousand")
	damages, err := fixtures.Damages(db)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range damages {
		t.Run(d.Name, func(t *testing.T) {
			broken, off, err := d.Apply(db)
			if err != nil {
				t.Fatal(err)
			}
			kind, err := evidence.Detect(bytes.NewReader(broken), int64(len(broken)))
			if err != nil {
				t.Fatal(err)
			}
			if kind == "" && len(broken) < 4096 {
				return // nothing is left that could be told from any other file
			}
			if kind != report.KindDB {
				t.Fatalf("detected as %q", kind)
			}
			r, _ := run(t, Options{FailOn: report.SeverityHigh}, inMemory(broken))
			if r.Verdict.ExitStatus != report.ExitIncomplete || r.Verdict.Complete || r.Verdict.Status == report.StatusClean {
				t.Errorf("verdict %+v", r.Verdict)
			}
			for _, d := range r.Coverage.Damage {
				if d.Path != "db" || d.What == "" || d.Offset < 0 || d.Offset > int64(len(broken)) {
					t.Errorf("damage %+v", d)
				}
			}
			if len(r.Coverage.Damage) == 0 {
				t.Errorf("broken at offset %#x, and nothing is reported", off)
			}
		})
	}
}

// A flipped byte anywhere in a snapshot shows in its hash, if nowhere else.
func TestFlippedByte(t *testing.T) {
	db := snapshotBytes(t, "deleted")
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 100 {
		broken, off, err := fixtures.FlipByte(rnd.Int64N(int64(len(db))), byte(1+rnd.IntN(255))).Apply(db)
		if err != nil {
			t.Fatal(err)
		}
		r, _ := run(t, Options{FailOn: report.SeverityHigh}, inMemory(broken))
		if r.Evidence[0].SnapshotHash != report.HashMismatch || r.Verdict.ExitStatus == report.ExitClean {
			t.Errorf("flipped at offset %#x: hash %s, exit status %d", off, r.Evidence[0].SnapshotHash, r.Verdict.ExitStatus)
		}
	}
}

// Whatever is done to the file, a plaintext Secret is still found, or the run says
// that it could not read everything.
func TestNeverFalselyClean(t *testing.T) {
	full := snapshotBytes(t, "providers")
	db := full[:len(full)-evidence.SnapshotHashSize] // a bare db: no hash gives the damage away
	before, _ := run(t, Options{FailOn: report.SeverityHigh}, inMemory(db))
	m, err := fixtures.MapPages(db)
	if err != nil {
		t.Fatal(err)
	}
	rnd := rand.New(rand.NewPCG(3, 4))
	reached := append(append([]uint64{}, m.Branches...), m.Leaves...)
	page := func() uint64 { return reached[rnd.IntN(len(reached))] }
	flip := func(page uint64, off int) fixtures.Damage {
		return fixtures.FlipByte(int64(page)*int64(m.PageSize)+int64(off), 1<<rnd.IntN(8))
	}
	const header, element = 16, 16
	makers := []struct {
		name string
		make func() fixtures.Damage
	}{
		{"zeroed page", func() fixtures.Damage { return fixtures.ZeroPage(page()) }},
		{"swapped pages", func() fixtures.Damage { return fixtures.SwapPages(m.Leaves[0], page()) }},
		{"cut", func() fixtures.Damage { return fixtures.TruncateAt(rnd.Int64N(int64(len(db)))) }},
		{"long overflow", func() fixtures.Damage { return fixtures.OverlongOverflow(page()) }},
		{"long count", func() fixtures.Damage { return fixtures.OverlongCount(page()) }},
		{"bit of a meta", func() fixtures.Damage { return flip(uint64(rnd.IntN(2)), rnd.IntN(header+64)) }},
		{"bit of a header", func() fixtures.Damage { return flip(page(), rnd.IntN(header)) }},
		{"bit of an element", func() fixtures.Damage { return flip(page(), header+rnd.IntN(8*element)) }},
	}
	for _, maker := range makers {
		for range 150 {
			broken, off, err := maker.make().Apply(db)
			if err != nil || bytes.Equal(broken, db) {
				continue
			}
			kind, _ := evidence.Detect(inMemory(broken).File, int64(len(broken)))
			if kind == "" {
				continue // exit status 3
			}
			r, _ := run(t, Options{FailOn: report.SeverityHigh}, inMemory(broken))
			if len(r.Exposures) < len(before.Exposures) && r.Verdict.ExitStatus < report.ExitIncomplete {
				t.Errorf("%s at offset %#x: %d of %d exposures, exit status %d",
					maker.name, off, len(r.Exposures), len(before.Exposures), r.Verdict.ExitStatus)
			}
		}
	}
}

// One wrong bit in a record may make its value pass for its key, or hide the
// record. Neither gets a value into the report, or a Secret out of it in silence.
func TestFlippedRecord(t *testing.T) {
	full := snapshotBytes(t, "deleted")
	db := full[:len(full)-evidence.SnapshotHashSize]
	before, values := run(t, Options{FailOn: report.SeverityHigh}, inMemory(db))
	x := before.Exposures[len(before.Exposures)/2].Copies[0]
	key := []byte(before.Exposures[len(before.Exposures)/2].Key)
	keyAt := int64(bytes.LastIndex(db[:x.Offset], key))
	traces := fixtures.Traces("CNRY-")
	for off := x.Offset - 80; off < x.Offset+4; off++ {
		for bit := range 8 {
			broken, _, err := fixtures.FlipByte(off, 1<<bit).Apply(db)
			if err != nil {
				t.Fatal(err)
			}
			r, got := run(t, Options{FailOn: report.SeverityHigh}, inMemory(broken))
			out, err := json.Marshal([]any{r, got})
			if err != nil {
				t.Fatal(err)
			}
			for _, trace := range traces {
				if bytes.Contains(out, []byte(trace)) {
					t.Errorf("bit %d at offset %#x: the report holds a value", bit, off)
				}
			}
			// A bit in a key's own text makes another key, which nothing can tell.
			inKey := keyAt <= off && off < keyAt+int64(len(key))
			if !inKey && r.Verdict.ExitStatus < report.ExitIncomplete && len(got) != len(values) {
				t.Errorf("bit %d at offset %#x: %d of %d values, exit status %d", bit, off, len(got), len(values), r.Verdict.ExitStatus)
			}
		}
	}
}

// A size of 0 does not make a record pass for the marker that restore leaves.
func TestEmptiedRecord(t *testing.T) {
	db := snapshotBytes(t, "deleted")
	m, err := fixtures.MapPages(db)
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range m.Leaves {
		at := int64(page)*int64(m.PageSize) + 16 + 12 // size of the first element's value
		broken := bytes.Clone(db[:len(db)-evidence.SnapshotHashSize])
		if clear(broken[at : at+4]); bytes.Equal(broken, db[:len(broken)]) {
			continue
		}
		r, _ := run(t, Options{}, inMemory(broken))
		if r.Verdict.ExitStatus != report.ExitIncomplete {
			t.Errorf("page %d: exit status %d", page, r.Verdict.ExitStatus)
		}
	}
}

var errDisk = errors.New("input/output error")

// A failingDisk gives an error for reads that touch the byte at off.
type failingDisk struct {
	io.ReaderAt
	off int64
}

func (d failingDisk) ReadAt(b []byte, off int64) (int, error) {
	if off <= d.off && d.off < off+int64(len(b)) {
		return 0, errDisk
	}
	return d.ReaderAt.ReadAt(b, off)
}

// A disk that fails in one place costs one page, and the verdict.
func TestFailingDisk(t *testing.T) {
	db := snapshotBytes(t, "providers")
	m, err := fixtures.MapPages(db)
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range []uint64{0, m.Branches[0], m.Leaves[3], uint64(len(db) / m.PageSize)} {
		source := inMemory(db)
		source.File = failingDisk{source.File, int64(page)*int64(m.PageSize) + 7}
		r, _ := run(t, Options{}, source)
		if r.Evidence[0].SnapshotHash != report.HashUnverified {
			t.Errorf("page %d: the hash is said to be %s", page, r.Evidence[0].SnapshotHash)
		}
		if r.Verdict.ExitStatus != report.ExitIncomplete || r.Evidence[0].SHA256 != "" || r.Coverage.BytesRead >= r.Coverage.Bytes {
			t.Errorf("page %d: %+v, %d of %d bytes, sha256 %q", page, r.Verdict, r.Coverage.BytesRead, r.Coverage.Bytes, r.Evidence[0].SHA256)
		}
		if len(r.Coverage.Damage) == 0 || !strings.Contains(r.Coverage.Damage[0].What, errDisk.Error()) {
			t.Errorf("page %d: damage %+v", page, r.Coverage.Damage)
		}
	}
}

func TestChangedEvidence(t *testing.T) {
	source := inMemory(snapshotBytes(t, "deleted"))
	source.Changed = func() string { return "its size was 1 and is 2" }
	r, values := run(t, Options{FailOn: report.SeverityLow}, source)
	if r.Verdict.ExitStatus != report.ExitChanged || r.Verdict.Complete || r.Evidence[0].Changed == "" || len(values) == 0 {
		t.Errorf("%+v, %d values", r.Verdict, len(values))
	}
}

func TestFailOn(t *testing.T) {
	plain, empty := snapshotBytes(t, "deleted"), snapshotBytes(t, "empty")
	tests := []struct {
		db     []byte
		failOn report.Severity
		want   int
	}{
		{plain, report.SeverityNone, 0}, {plain, report.SeverityLow, 1}, {plain, report.SeverityCritical, 1},
		{empty, report.SeverityLow, 3}, {empty, report.SeverityNone, 3},
	}
	for _, tt := range tests {
		r, _ := run(t, Options{FailOn: tt.failOn}, inMemory(tt.db))
		if r.Verdict.ExitStatus != tt.want {
			t.Errorf("--fail-on %v: exit status %d, want %d", tt.failOn, r.Verdict.ExitStatus, tt.want)
		}
	}
}

// What the user named and is no evidence keeps the run from exit status 0 and 1.
func TestNotEvidence(t *testing.T) {
	o := Options{FailOn: report.SeverityLow, NotEvidence: []report.NotExamined{{Path: "missing", What: "no such file"}}}
	r, _ := run(t, o, inMemory(snapshotBytes(t, "deleted")))
	if r.Verdict.ExitStatus != report.ExitNotEvidence || r.Coverage.NotExamined[0].Path != "missing" {
		t.Errorf("%+v %+v", r.Verdict, r.Coverage.NotExamined)
	}
}

func TestResources(t *testing.T) {
	db := inMemory(snapshotBytes(t, "providers"))
	both := []resource.GroupResource{configmaps, {Group: "example.com", Resource: "unheard"}}
	r, _ := run(t, Options{Resources: both}, db)
	for _, x := range r.Exposures {
		if x.Resource != "configmaps" {
			t.Errorf("%+v", x)
		}
	}
	if len(r.Scope) != 2 || r.Scope[0].Keys == 0 || r.Scope[0].InPlaintext() != len(r.Exposures) || r.Scope[1].Keys != 0 {
		t.Errorf("scope %+v, %d exposures", r.Scope, len(r.Exposures))
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := askAll(ctx, []evidence.Source{inMemory(snapshotBytes(t, "deleted"))}, Options{})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

// Values that can not be delivered end the run.
func TestValuesError(t *testing.T) {
	_, err := askAll(context.Background(), []evidence.Source{inMemory(snapshotBytes(t, "deleted"))}, Options{Values: func(report.Value) error { return errDisk }})
	if !errors.Is(err, errDisk) {
		t.Errorf("error %v", err)
	}
}

func TestDetect(t *testing.T) {
	segment := extract(t, "12-killed/data-dir/member/wal/0000000000000000-0000000000000000.wal")
	wal := open(t, segment)
	tests := []struct {
		name string
		b    []byte
		want report.Kind
	}{
		{"empty", nil, ""},
		{"text", []byte(strings.Repeat("some text\n", 1000)), ""},
		{"zeros", make([]byte, 1<<20), ""},
		{"one byte", []byte{0xED}, ""},
		{"snapshot", snapshotBytes(t, "empty"), report.KindDB},
	}
	for _, tt := range tests {
		if got, err := evidence.Detect(bytes.NewReader(tt.b), int64(len(tt.b))); got != tt.want || err != nil {
			t.Errorf("%s: %q, %v", tt.name, got, err)
		}
	}
	if got, err := evidence.Detect(wal.File, wal.Size); got != report.KindWAL || err != nil {
		t.Errorf("WAL segment: %q, %v", got, err)
	}
	if _, err := evidence.Detect(failingDisk{bytes.NewReader(nil), 0}, 100); !errors.Is(err, errDisk) {
		t.Errorf("failing disk: %v", err)
	}
}
