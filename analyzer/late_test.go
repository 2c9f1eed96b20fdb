package analyzer

import (
	"context"
	"fmt"
	"math"
	"sync/atomic"
	"testing"

	"github.com/etcdsift/etcdsift/analyzer/evidence"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/fixtures/forged"
)

// A db whose damage shows only when the question is asked, to a second witness or to the reads that
// compare values, has lost no key by that: what is not in its tree may be missing there.
func TestLateDamage(t *testing.T) {
	f := forged.DB{Index: 1, Member: 7, Compacted: 5}
	for i := range 60 {
		object := fmt.Appendf(nil, `{"apiVersion":"v1","kind":"Secret","metadata":{"namespace":"default","name":"s-%d"},"data":{"password":"aHVudGVyMg=="}}`, i)
		f.Records = append(f.Records, forged.Record{Rev: int64(4 + i), Key: forged.SecretKey(i), Value: object})
	}
	f.Freed = []int64{4, 5}
	last := f.Records[len(f.Records)-1]
	f.Records = append(f.Records, forged.Record{Rev: 70, Create: last.Rev, Version: 2, Key: last.Key, Value: forged.Sealed(oldKey, "1")})
	states := func(s evidence.Source, o Options) (report.State, bool) {
		t.Helper()
		reading, err := Read(t.Context(), []evidence.Source{s}, o.interest())
		if err != nil {
			t.Fatal(err)
		}
		r, err := reading.Scan(t.Context(), ScanOptions{}) // the first question: no other has closed the files
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range r.Exposures {
			if string(x.Key) == forged.SecretKey(0) {
				return x.State, r.Verdict.Complete
			}
		}
		t.Fatal("no exposure")
		return "", false
	}
	db := f.Bytes(t)
	if got, complete := states(inMemory(db), Options{}); got != report.StateDeleted || !complete {
		t.Fatalf("%s, complete %v", got, complete)
	}
	witness := func(context.Context, evidence.Source, string) (*report.SecondWitness, error) {
		return &report.SecondWitness{Result: report.WitnessDiffers, Problems: []string{"other records"}}, nil
	}
	if got, complete := states(inMemory(db), Options{Witness: witness}); got != report.StateUnknown || complete {
		t.Errorf("a witness differs: %s, complete %v", got, complete)
	}
	reads := &atomic.Int32{}
	fading := func(from int32) evidence.Source {
		reads.Store(0)
		s := inMemory(db)
		s.File = fadingDisk{s.File, int64(offsets(db, last.Value)[0]), from, math.MaxInt32, reads}
		return s
	}
	states(fading(math.MaxInt32), Options{})
	total := reads.Load()
	if got, complete := states(fading(total), Options{}); got != report.StateUnknown || complete {
		t.Errorf("the last of %d reads fails: %s, complete %v", total, got, complete)
	}
}
