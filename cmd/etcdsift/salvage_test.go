package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/etcdsift/etcdsift/analyzer"
	"github.com/etcdsift/etcdsift/analyzer/evidence"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/fixtures"
)

// A salvage is how much of what is whole in damaged copies is recovered.
type salvage struct {
	kind                 string
	files                int
	keys, keysFound      int // keys with a whole record, and those listed at the newest of these
	unknown              int // of keysFound, those that are said to be unknown
	copies, copiesFound  int // places at which a plaintext Secret's record is whole
	records, recordFound int // places at which a record of one of the keys asked for is whole
}

// keysAsked is for how many keys of each copy every record is asked for.
const keysAsked = 1

// TestSalvage damages dbs, looks by a comparison of bytes for the records that are still
// whole in the copies, and for what reports say of them.
func TestSalvage(t *testing.T) {
	wrecks, err := fixtures.Wrecks(context.Background(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var all []*salvage
	for _, w := range wrecks {
		i := slices.IndexFunc(all, func(s *salvage) bool { return s.kind == w.Kind })
		if i < 0 {
			i = len(all)
			all = append(all, &salvage{kind: w.Kind})
		}
		all[i].add(t, w)
	}
	for _, s := range all {
		if s.keysFound != s.keys || s.copiesFound != s.copies || s.recordFound != s.records || s.keys == 0 || s.copies == 0 || s.records == 0 {
			t.Errorf("%+v", *s)
		}
	}
	table := salvageTable(all)
	t.Log("\n" + table)
	if *scoreFlag {
		writeTable(t, "salvage", table)
	}
}

// A wreckReport is what is told of a wreck.
type wreckReport struct {
	*report.Report
	History *report.HistoryReport // of the key that was asked for
}

// examineWreck asks for the values in the bytes of a wreck, for the copies of key unless that is
// empty, and what can be read.
func examineWreck(t *testing.T, w fixtures.Wreck, key string) (r wreckReport, values map[string]report.Value) {
	t.Helper()
	values = map[string]report.Value{}
	each := func(v report.Value) error {
		if _, twice := values[string(v.Key)]; twice {
			return errors.New("listed twice: " + string(v.Key))
		}
		values[string(v.Key)] = v
		return nil
	}
	source := evidence.Source{Path: "db", File: bytes.NewReader(w.Bytes), Size: int64(len(w.Bytes))}
	reading, err := analyzer.Read(t.Context(), []evidence.Source{source}, analyzer.Interest{Key: report.Text(key)})
	if err == nil {
		_, err = reading.Values(t.Context(), each)
	}
	if err == nil && key != "" {
		r.History, err = reading.History(t.Context())
	}
	if err == nil {
		r.Report, err = reading.Scan(t.Context(), analyzer.ScanOptions{FailOn: report.SeverityHigh})
	}
	if err != nil {
		t.Fatalf("%s: %v", w.Name, err)
	}
	return r, values
}

func (s *salvage) add(t *testing.T, w fixtures.Wreck) {
	s.files++
	r, values := examineWreck(t, w, "")
	broken := fixtures.Healthy(w.Bytes, w.Records)
	if w.Kind == "key bucket missing" {
		broken = errors.New(w.Name) // the tree can be followed, and is not that of the keys
	}
	if w.Kind == "torn copy" && len(r.Coverage.Damage) == 0 {
		// The tree is one that etcd wrote: what it does not have is residue.
		records, err := fixtures.Records(w.Bytes)
		if err != nil {
			t.Errorf("%s: no damage is reported, and %v", w.Name, err)
			return
		}
		w.Records, broken = records, nil
	} else if d := r.Coverage.Damage; w.Kind == "torn copy" && len(d) == 1 && d[0].Offset == int64(len(w.Bytes)) {
		// The meta is of a state with more pages, and the file is cut short. What is said of
		// the tree holds here, too, if it can be followed without them: zeros are no page of it.
		if records, err := fixtures.Records(append(slices.Clone(w.Bytes), make([]byte, len(w.Bytes))...)); err == nil {
			if r.Verdict.ExitStatus != report.ExitIncomplete {
				t.Errorf("%s: cut short, and exit status %d", w.Name, r.Verdict.ExitStatus)
			}
			w.Records, broken = records, nil
		}
	}
	// What was written over inside of a value shows nowhere in a bare db.
	if broken != nil && !strings.Contains(w.Name, "sector") && r.Verdict.ExitStatus < report.ExitIncomplete {
		t.Errorf("%s: exit status %d", w.Name, r.Verdict.ExitStatus)
	}
	newest := map[string]*fixtures.Record{}
	places := map[string][]int64{} // at which each key has a whole record
	known := map[string]bool{}     // keys and revisions
	seen, inTree := map[string]bool{}, map[string]bool{}
	for _, rec := range w.Records {
		inTree[string(rec.Bytes)] = inTree[string(rec.Bytes)] || rec.InTree
	}
	for i := range w.Records {
		rec := &w.Records[i]
		known[fmt.Sprint(rec.Key, " ", rec.Main)] = true
		if seen[string(rec.Bytes)] {
			continue
		}
		seen[string(rec.Bytes)] = true
		offs := offsetsOf(w.Bytes, rec.Bytes)
		if len(offs) == 0 {
			continue
		}
		for _, off := range offs {
			s.plain(t, w, r.Report, rec, off)
		}
		if !rec.Tombstone {
			for _, off := range offs {
				places[rec.Key] = append(places[rec.Key], rec.ValueOff(off))
			}
		}
		if n := newest[rec.Key]; (broken != nil || inTree[string(rec.Bytes)]) && (n == nil || rec.Main > n.Main) {
			newest[rec.Key] = rec
		}
	}
	for key, v := range values {
		if !known[fmt.Sprint(key, " ", v.ModRevision)] {
			t.Errorf("%s: %s at revision %d out of nowhere", w.Name, key, v.ModRevision)
		}
	}
	s.newest(t, w, newest, values)
	s.history(t, w, places)
}

// newest looks for the newest whole record of each key among the values.
func (s *salvage) newest(t *testing.T, w fixtures.Wreck, newest map[string]*fixtures.Record, values map[string]report.Value) {
	for key, rec := range newest {
		if rec.Tombstone {
			if v, ok := values[key]; ok && v.State != report.StateUnknown && v.ModRevision < rec.Main {
				t.Errorf("%s: %s was deleted at revision %d, and is listed as live", w.Name, key, rec.Main)
			}
			continue
		}
		s.keys++
		v, ok := values[key]
		if !ok || v.ModRevision < rec.Main {
			t.Errorf("%s: revision %d of %s is whole, and not listed: %+v", w.Name, rec.Main, key, v)
			continue
		}
		s.keysFound++
		if v.State == report.StateUnknown {
			s.unknown++
		} else if s.kind == "both metas bad" || s.kind == "key bucket missing" && !strings.Contains(w.Name, "root page") {
			t.Errorf("%s: there is no tree, and %s is live", w.Name, key)
		}
	}
}

// plain looks for a plaintext record of a Secret that stands whole at off.
func (s *salvage) plain(t *testing.T, w fixtures.Wreck, r *report.Report, rec *fixtures.Record, off int64) {
	if rec.Tombstone || !strings.Contains(rec.Key, "/secrets/") || bytes.HasPrefix(rec.Value, []byte("k8s:enc:")) {
		return
	}
	s.copies++
	at := rec.ValueOff(off)
	for _, x := range r.Exposures {
		for _, c := range x.Copies {
			if string(x.Key) == rec.Key && c.Offset == at && c.Length == int64(len(rec.Value)) && c.Complete {
				s.copiesFound++
				return
			}
		}
	}
	t.Errorf("%s: the plaintext value of revision %d of %s at %#x is not reported", w.Name, rec.Main, rec.Key, at)
}

// history asks for all that is left of some keys.
func (s *salvage) history(t *testing.T, w fixtures.Wreck, places map[string][]int64) {
	keys := make([]string, 0, len(places))
	for key := range places {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for i := range min(keysAsked, len(keys)) {
		key := keys[(i*len(keys)/keysAsked+7*s.files)%len(keys)]
		r, _ := examineWreck(t, w, key)
		for _, off := range places[key] {
			s.records++
			if slices.ContainsFunc(r.History.Copies, func(o report.Occurrence) bool { return o.Offset == off && o.Complete }) {
				s.recordFound++
			} else {
				t.Errorf("%s: the value of %s at %#x is not in its history", w.Name, key, off)
			}
		}
	}
}

// offsetsOf are where b holds part.
func offsetsOf(b, part []byte) []int64 {
	var all []int64
	for at := 0; ; at++ {
		i := bytes.Index(b[at:], part)
		if i < 0 {
			return all
		}
		at += i
		all = append(all, int64(at))
	}
}

func salvageTable(all []*salvage) string {
	var b strings.Builder
	b.WriteString("| damage | copies of a db | keys: newest whole record listed | of them unknown | plaintext Secrets whole: reported | records whole: in the history |\n")
	b.WriteString("|---|--:|--:|--:|--:|--:|\n")
	sum := salvage{kind: "all"}
	row := func(s *salvage) {
		fmt.Fprintf(&b, "| %s | %d | %s of %d | %d | %s of %d | %s of %d |\n", s.kind, s.files, ratio(s.keysFound, s.keys), s.keys,
			s.unknown, ratio(s.copiesFound, s.copies), s.copies, ratio(s.recordFound, s.records), s.records)
	}
	for _, s := range all {
		row(s)
		sum.files, sum.keys, sum.keysFound, sum.unknown = sum.files+s.files, sum.keys+s.keys, sum.keysFound+s.keysFound, sum.unknown+s.unknown
		sum.copies, sum.copiesFound = sum.copies+s.copies, sum.copiesFound+s.copiesFound
		sum.records, sum.recordFound = sum.records+s.records, sum.recordFound+s.recordFound
	}
	row(&sum)
	return b.String()
}
