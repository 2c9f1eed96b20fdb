package analyzer

import (
	"bytes"
	"encoding/json"
	"io"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/etcdsift/etcdsift/analyzer/encryption"
	"github.com/etcdsift/etcdsift/analyzer/evidence"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/fixtures/captured"
)

// A fadingDisk gives an error for reads that touch the byte at off, from one of them to
// another, by their number from 1 on.
type fadingDisk struct {
	io.ReaderAt
	off      int64
	from, to int32
	touched  *atomic.Int32
}

func (d fadingDisk) ReadAt(b []byte, off int64) (int, error) {
	if off <= d.off && d.off < off+int64(len(b)) {
		if n := d.touched.Add(1); d.from <= n && n <= d.to {
			return 0, errDisk
		}
	}
	return d.ReaderAt.ReadAt(b, off)
}

// migrated is the data dir of a captured stage and the configuration then in force: all
// passes over the files have something to do.
func migrated(t *testing.T) ([]evidence.Source, Options) {
	t.Helper()
	const stage, segment = "04-reused/data-dir/member/", "0000000000000000-0000000000000000.wal"
	var sources []evidence.Source
	for _, s := range []evidence.Source{{Path: "db", Kind: report.KindDB, Name: "snap/db"}, {Path: "wal", Kind: report.KindWAL, Name: "wal/" + segment}} {
		b, err := captured.ReadFile(stage + s.Name)
		if err != nil {
			t.Fatal(err)
		}
		if s.Kind == report.KindWAL {
			b, s.Name = b[:2<<20], segment // the rest is zeros
		}
		s.File, s.Size, s.Member = bytes.NewReader(b), int64(len(b)), "member"
		sources = append(sources, s)
	}
	b, err := captured.ReadFile("encryption-aescbc.yaml")
	if err != nil {
		t.Fatal(err)
	}
	config, err := encryption.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	return sources, Options{FailOn: report.SeverityHigh, Encryption: config, Keys: true}
}

func withFile(sources []evidence.Source, i int, file io.ReaderAt) []evidence.Source {
	sources = append([]evidence.Source{}, sources...)
	sources[i].File = file
	return sources
}

func reportJSON(t *testing.T, r *allAnswers) string {
	t.Helper()
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Whichever of the reads of a place fails, and all that follow, the report is there, and
// says that something is missing, and where. Where a read fails once and the next gives
// the same bytes, the report is that of a healthy disk, or says so, too.
func TestFadingDisk(t *testing.T) {
	sources, o := migrated(t)
	whole, _ := run(t, o, sources...)
	if whole.Verdict.ExitStatus != report.ExitFindings || len(whole.Exposures) == 0 {
		t.Fatalf("%+v", whole.Verdict)
	}
	healthy := reportJSON(t, whole)
	rnd := rand.New(rand.NewPCG(5, 6))
	passes := int32(0)
	for i, s := range sources {
		places := []int64{rnd.Int64N(1 << 20)}
		for _, x := range []int{0, len(whole.Exposures) / 2} {
			for _, c := range whole.Exposures[x].Copies {
				if c.Path == s.Path {
					places = append(places, c.Offset+c.Length/2)
					break
				}
			}
		}
		for _, off := range places {
			count := new(atomic.Int32)
			run(t, o, withFile(sources, i, fadingDisk{s.File, off, 0, 0, count})...)
			passes = max(passes, count.Load())
			for from := int32(1); from <= count.Load(); from++ {
				disk := fadingDisk{s.File, off, from, 1 << 30, new(atomic.Int32)}
				r, _ := run(t, o, withFile(sources, i, disk)...)
				if disk.touched.Load() < from {
					continue // another order of reads
				}
				if r.Verdict.ExitStatus != report.ExitIncomplete || !tells(r, s.Path, off) {
					t.Errorf("%s, read %d at offset %#x: %+v, damage %+v", s.Path, from, off, r.Verdict, r.Coverage.Damage)
				}
				disk = fadingDisk{s.File, off, from, from, new(atomic.Int32)}
				r, _ = run(t, o, withFile(sources, i, disk)...)
				if got := reportJSON(t, r); got != healthy && !tells(r, s.Path, off) {
					t.Errorf("%s, read %d at offset %#x, once: another report, and %+v", s.Path, from, off, r.Verdict)
				}
			}
		}
	}
	if passes < 3 {
		t.Errorf("a place is read %d times: the test looks at one pass", passes)
	}
}

// tells reports whether the report has damage at a byte, as what the disk said, and nowhere
// in another file.
func tells(r *allAnswers, path report.Text, off int64) bool {
	told := false
	for _, d := range r.Coverage.Damage {
		if !strings.Contains(d.What, errDisk.Error()) {
			continue
		}
		if d.Path != path {
			return false
		}
		told = told || off-1<<20 <= d.Offset && d.Offset <= off
	}
	return told
}

// The copies of one key are decrypted after all else.
func TestFadingDiskHistory(t *testing.T) {
	sources, o := migrated(t)
	o.Key = "/registry/secrets/payments/s-plain-10"
	r, _ := run(t, o, sources...)
	if len(r.History.Copies) < 3 {
		t.Fatalf("%+v", r.History)
	}
	for _, c := range r.History.Copies {
		i := 0
		if c.Path == "wal" {
			i = 1
		}
		count := new(atomic.Int32)
		run(t, o, withFile(sources, i, fadingDisk{sources[i].File, c.Offset, 0, 0, count})...)
		disk := fadingDisk{sources[i].File, c.Offset, count.Load(), 1 << 30, new(atomic.Int32)}
		if r, _ := run(t, o, withFile(sources, i, disk)...); r.Verdict.ExitStatus != report.ExitIncomplete || !tells(r, c.Path, c.Offset) {
			t.Errorf("%s, offset %#x: %+v, damage %+v", c.Path, c.Offset, r.Verdict, r.Coverage.Damage)
		}
	}
}

// A shortDisk gives no more than half of what is asked for, and no error.
type shortDisk struct{ io.ReaderAt }

func (d shortDisk) ReadAt(b []byte, off int64) (int, error) {
	return d.ReaderAt.ReadAt(b[:(len(b)+1)/2], off)
}

// Bytes that a read did not fill are not taken for those of the file.
func TestShortReads(t *testing.T) {
	sources, o := migrated(t)
	for i, s := range sources {
		r, _ := run(t, o, withFile(sources, i, shortDisk{s.File})...)
		if r.Verdict.ExitStatus != report.ExitIncomplete || r.Evidence[i].SHA256 != "" || len(r.Coverage.Damage) == 0 {
			t.Errorf("%s: %+v, sha256 %q", s.Path, r.Verdict, r.Evidence[i].SHA256)
		}
	}
}

// A file that was cut after it was opened is read as far as it goes.
func TestCutWhileRead(t *testing.T) {
	sources, o := migrated(t)
	for i, s := range sources {
		for _, left := range []int64{0, 100, 4096, 300_001} {
			r, _ := run(t, o, withFile(sources, i, io.NewSectionReader(s.File, 0, left))...)
			if r.Verdict.ExitStatus != report.ExitIncomplete || len(r.Coverage.Damage) == 0 || r.Coverage.BytesRead >= r.Coverage.Bytes {
				t.Errorf("%s cut to %d: %+v, damage %+v", s.Path, left, r.Verdict, r.Coverage.Damage)
			}
		}
	}
}
