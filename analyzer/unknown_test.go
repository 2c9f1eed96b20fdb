package analyzer

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode/page"
	"github.com/etcdsift/etcdsift/fixtures/forged"
)

// Of a key that no tree tells of any more nobody knows which value is the newest, nor whether it is
// in use, and nothing says so.
func TestUnknownIsNothingElse(t *testing.T) {
	f := forged.DB{Index: 1, Member: 7}
	plain := func(i, n int) []byte {
		return fmt.Appendf(nil, `{"apiVersion":"v1","kind":"Secret","metadata":{"namespace":"default","name":"s-%d"},"data":{"password":"aHVudGVyMg%d="}}`, i, n)
	}
	rev := int64(2)
	add := func(i int, values ...[]byte) {
		create := rev
		for n, v := range values {
			f.Records = append(f.Records, forged.Record{Rev: rev, Create: create, Version: int64(n + 1), Key: forged.SecretKey(i), Value: v})
			rev++
		}
	}
	for i := range 200 {
		switch i % 4 {
		case 0:
			add(i, plain(i, 0))
		case 1:
			add(i, plain(i, 0), plain(i, 1))
		case 2:
			add(i, plain(i, 0), forged.Sealed(newKey, fmt.Sprint("a", i)))
		default:
			add(i, forged.Sealed(oldKey, fmt.Sprint("b", i)), forged.Sealed(oldKey, fmt.Sprint("c", i)))
		}
	}
	db := f.Bytes(t)
	pf, err := page.Open(bytes.NewReader(db), int64(len(db)))
	if err != nil {
		t.Fatal(err)
	}
	m, _, _ := pf.Meta()
	clear(db[int(m.Root)*pf.PageSize:][:pf.PageSize]) // no bucket is left, and all leaves are
	r, values := run(t, Options{Encryption: keyless(t)}, inMemory(db))
	if len(r.Exposures) < 100 || len(of(r, report.RuleUndecryptable)) < 50 {
		t.Fatalf("%d exposures, %d values that do not open", len(r.Exposures), len(of(r, report.RuleUndecryptable)))
	}
	for _, x := range r.Exposures {
		if x.State != report.StateUnknown || x.Status != report.StatusExposed || x.Current != (report.Current{}) || x.Validity.Status != report.UseUnknown {
			t.Errorf("%s: %s, %s, %+v, %s", x.Key, x.State, x.Status, x.Current, x.Validity.Status)
		}
	}
	for i := range r.Findings {
		f := &r.Findings[i]
		if f.Key == "" {
			continue
		}
		for _, claim := range []string{"the newest value", "older", "later evidence", "deleted", "in use"} {
			if strings.Contains(f.Message(), claim) || f.Superseded || !f.Unknown {
				t.Errorf("%s: %s", f.Rule, f.Message())
			}
		}
	}
	for _, v := range values {
		if v.State != report.StateUnknown {
			t.Errorf("%s is %q", v.Key, v.State)
		}
	}
}
