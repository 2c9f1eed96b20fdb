package analyzer

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"testing"

	"github.com/etcdsift/etcdsift/analyzer/encryption"
	"github.com/etcdsift/etcdsift/analyzer/evidence"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/fixtures"
	"github.com/etcdsift/etcdsift/fixtures/alloc"
)

// smallDB is a db of 1 KiB pages: a mutation hits something that matters.
func smallDB(t testing.TB) []byte {
	t.Helper()
	full := snapshotBytes(t, "odd-values")
	src, dst := t.TempDir()+"/src", t.TempDir()+"/dst"
	if err := os.WriteFile(src, full[:len(full)-evidence.SnapshotHashSize], 0o600); err != nil {
		t.Fatal(err)
	}
	if err := fixtures.Repage(src, dst, 1024, true); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(dst)
	if err != nil {
		t.Fatal(err)
	}
	m, err := fixtures.MapPages(b)
	if err != nil {
		t.Fatal(err)
	}
	return b[:min(len(b), int(lastPage(m)+1)*m.PageSize)]
}

func lastPage(m fixtures.PageMap) uint64 {
	last := m.Root
	for _, list := range [][]uint64{m.Branches, m.Leaves, m.Overflow, m.Freelist, m.Free} {
		for _, id := range list {
			last = max(last, id)
		}
	}
	return last
}

// A run costs its windows and tables, and for each record an entry of its key, an exposure
// with its copies, findings, and objects that are decoded.
var runBound = alloc.Bound{Fixed: 8 << 20, PerByte: 128}

// Whatever the bytes, a run ends with a report whose numbers agree with each
// other, and what is not all read is not called complete.
func FuzzRun(f *testing.F) {
	db := smallDB(f)
	f.Add(db)
	damages, err := fixtures.Damages(db)
	if err != nil {
		f.Fatal(err)
	}
	for _, d := range damages {
		broken, _, err := d.Apply(db)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(broken)
	}
	f.Add(append(bytes.Clone(db), make([]byte, evidence.SnapshotHashSize)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 1<<20 {
			return
		}
		values := 0
		o := Options{FailOn: report.SeverityHigh, Values: func(report.Value) error { values++; return nil }}
		r, err := askAll(context.Background(), []evidence.Source{inMemory(b)}, o)
		if err != nil {
			t.Fatal(err)
		}
		runBound.Check(t, len(b), func() { _, _ = askAll(context.Background(), []evidence.Source{inMemory(b)}, Options{}) })
		damaged := len(r.Coverage.Damage) > 0 || r.Coverage.BytesRead != int64(len(b))
		if damaged != (r.Verdict.ExitStatus == report.ExitIncomplete) {
			t.Errorf("exit status %d, %d of %d bytes, damage %v", r.Verdict.ExitStatus, r.Coverage.BytesRead, len(b), r.Coverage.Damage)
		}
		if damaged && r.Verdict.Complete || r.Verdict.Status == report.StatusClean && !r.Verdict.Complete {
			t.Errorf("verdict %+v, damage %v", r.Verdict, r.Coverage.Damage)
		}
		keys := 0
		for _, n := range r.Inventory {
			keys += n.Keys
		}
		if keys != values {
			t.Errorf("%d keys in the inventory, %d values", keys, values)
		}
		for _, x := range r.Exposures {
			for _, c := range x.Copies {
				if c.Offset < 0 || c.Length < 0 || c.Offset+c.Length > int64(len(b)) {
					t.Errorf("copy at %d, %d bytes, in a file of %d", c.Offset, c.Length, len(b))
				}
			}
		}
	})
}

// The same for the questions that keys are asked, over values of every kind that a
// configuration may have something against. What they say holds no canary.
func FuzzRunWithKeys(f *testing.F) {
	var configs []*encryption.Config
	for _, name := range []string{"wrong-bytes", "moved-aesgcm", "colon-names", "nonce-reuse", "key-overuse"} {
		c, err := fixtures.LookupEncryption(name)
		if err != nil {
			f.Fatal(err)
		}
		e, err := c.Build(f.Context(), f.TempDir())
		if err != nil {
			f.Fatal(err)
		}
		f.Cleanup(func() { _ = e.Close() })
		db, err := os.ReadFile(e.DB)
		if err != nil {
			f.Fatal(err)
		}
		config, err := encryption.Parse([]byte(e.Config))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(db, uint8(len(configs)))
		configs = append(configs, config)
	}
	f.Fuzz(func(t *testing.T, b []byte, which uint8) {
		if len(b) > 1<<20 {
			return
		}
		o := Options{Encryption: configs[int(which)%len(configs)], Keys: true, Retire: []string{"aescbc:key1"}}
		r, err := askAll(context.Background(), []evidence.Source{inMemory(b)}, o)
		if err != nil {
			t.Fatal(err)
		}
		if r.Retire[0].Safe && (!r.Verdict.Complete || len(r.Retire[0].Stragglers) > 0) {
			t.Errorf("%+v, %+v", r.Retire, r.Verdict)
		}
		for _, u := range r.Keys {
			sum := report.NamespaceUse{}
			for _, n := range u.Namespaces {
				sum.Newest, sum.History, sum.Residue, sum.WAL = sum.Newest+n.Newest, sum.History+n.History, sum.Residue+n.Residue, sum.WAL+n.WAL
			}
			if u.Newest < 0 || u.History < 0 || u.Residue < 0 || sum.Newest != u.Newest || sum.History != u.History || sum.Residue != u.Residue || sum.WAL != u.WAL {
				t.Errorf("%+v", u)
			}
		}
		said, err := json.Marshal([]any{r, r.Keys, r.Retire})
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(said, []byte("CNRY-")) {
			t.Errorf("a canary in %s", said)
		}
	})
}
