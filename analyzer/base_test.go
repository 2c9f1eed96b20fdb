package analyzer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/etcdsift/etcdsift/analyzer/evidence"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode/page"
)

// A db and a log that lie inside other files are read as if they were files of their own, and
// each offset in the report is one in the file around.
func TestBase(t *testing.T) {
	whole, o := migrated(t)
	o.FailOn, o.Keys = report.SeverityHigh, true
	broken := slices.Clone(whole)
	db := contents(t, broken[0])
	copy(db[5*4096:], db[9*4096:10*4096]) // a page where another belongs
	db[20*4096+8] = 0xff
	broken[0].File = bytes.NewReader(db)
	for name, sources := range map[string][]evidence.Source{"whole": whole, "damaged": broken} {
		want, _ := run(t, o, sources...)
		if len(want.Exposures) == 0 || name == "damaged" && len(want.Coverage.Damage) == 0 {
			t.Fatalf("%s: %d exposures, %d places of damage: nothing to compare", name, len(want.Exposures), len(want.Coverage.Damage))
		}
		for _, base := range []int64{1, 512, 4096, 70_001} {
			inside := slices.Clone(sources)
			for i := range inside {
				b := slices.Concat(bytes.Repeat([]byte("{junk:8 "), int(base))[:base], contents(t, inside[i]), []byte("k8s:enc:more"))
				inside[i].File, inside[i].Base = bytes.NewReader(b), base
			}
			got, _ := run(t, o, inside...)
			if diff := cmp.Diff(tree(t, want, 0), tree(t, got, base)); diff != "" {
				t.Errorf("%s, %d bytes in (-want +got):\n%.4000s", name, base, diff)
			}
		}
	}
}

// A snapshot with text around it gives the answers of the snapshot alone, and the text is not
// taken for a part of it.
func TestTextAround(t *testing.T) {
	db := snapshotBytes(t, "deleted")
	want, _ := run(t, Options{}, inMemory(db))
	const before, behind = "Defaulted container\n", "exit code 0\n"
	b := slices.Concat([]byte(before), db, []byte(behind))
	at, err := page.Locate(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	s := evidence.Source{Path: "db", File: bytes.NewReader(b), Base: at.Off, Size: at.Size, Before: at.Off, Behind: int64(len(b)) - at.Off - at.Size}
	got, _ := run(t, Options{}, s)
	if diff := cmp.Diff(tree(t, &allAnswers{Report: &report.Report{Exposures: want.Exposures}}, 0),
		tree(t, &allAnswers{Report: &report.Report{Exposures: got.Exposures}}, at.Off)); diff != "" {
		t.Errorf("exposures (-want +got):\n%s", diff)
	}
	facts := got.Evidence[0]
	if facts.SnapshotHash != report.HashValid || facts.Size != int64(len(b)) || len(facts.Surroundings) != 2 || got.Coverage.Bytes != got.Coverage.BytesRead {
		t.Errorf("facts %+v, coverage %+v", facts, got.Coverage)
	}

	// A Secret in the text is found, too.
	const secret = `{"apiVersion":"v1","kind":"Secret","metadata":{"name":"printed","namespace":"default"},"data":{"password":"aHVudGVyMg=="}}` + "\n"
	b = append([]byte(secret), db...)
	s = evidence.Source{Path: "db", File: bytes.NewReader(b), Base: int64(len(secret)), Size: int64(len(db)), Before: int64(len(secret))}
	got, _ = run(t, Options{}, s)
	i := slices.IndexFunc(got.Exposures, func(x report.Exposure) bool { return x.Name == "printed" })
	if i < 0 || got.Exposures[i].Copies[0].Offset != 0 || got.Exposures[i].Copies[0].Length < 100 {
		t.Errorf("exposures %+v: none is that before the db", got.Exposures)
	}
}

func contents(t *testing.T, s evidence.Source) []byte {
	t.Helper()
	b := make([]byte, s.Size)
	if err := s.ReadFull(b, 0); err != nil {
		t.Fatal(err)
	}
	return b
}

// tree is a report as JSON has it, with base taken from each offset.
func tree(t *testing.T, a *allAnswers, base int64) any {
	t.Helper()
	b, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	shift(v, float64(base))
	return v
}

var offsetText = regexp.MustCompile("offset 0x[0-9a-f]+")

func shift(v any, base float64) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			shift(e, base)
		}
	case map[string]any:
		delete(v, "base")
		for name, e := range v {
			if off, ok := e.(float64); ok && (name == "offset" || name == "Offset") {
				v[name] = off - base
			}
			if text, ok := e.(string); ok {
				v[name] = offsetText.ReplaceAllStringFunc(text, func(s string) string {
					var off int64
					_, _ = fmt.Sscanf(s, "offset %v", &off)
					return fmt.Sprintf("offset %#x", off-int64(base))
				})
			}
			shift(e, base)
		}
	}
}
