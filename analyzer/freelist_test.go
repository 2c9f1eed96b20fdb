package analyzer

import (
	"bytes"
	"encoding/binary"
	"hash/fnv"
	"math"
	"strings"
	"testing"

	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode/page"
	"github.com/etcdsift/etcdsift/fixtures/forged"
)

// setFreelist makes the newest meta of a db name another page for its freelist.
func setFreelist(t *testing.T, db []byte, id uint64) []byte {
	t.Helper()
	f, err := page.Open(bytes.NewReader(db), int64(len(db)))
	if err != nil {
		t.Fatal(err)
	}
	_, newest, _ := f.Meta()
	db = bytes.Clone(db)
	meta := db[int(newest)*f.PageSize+page.HeaderSize:][:64]
	binary.LittleEndian.PutUint64(meta[32:], id)
	sum := fnv.New64a()
	_, _ = sum.Write(meta[:56])
	binary.LittleEndian.PutUint64(meta[56:], sum.Sum64())
	return db
}

// A db is read in full whatever its newest meta names for a freelist: the states of its keys stay
// what they were, the damage is said, and a db without a freelist has none.
func TestWrongFreelist(t *testing.T) {
	secret := func(name string) []byte {
		return []byte(`{"apiVersion":"v1","kind":"Secret","metadata":{"namespace":"default","name":"` + name + `"},"data":{"password":"aHVudGVyMg=="}}`)
	}
	f := forged.DB{Index: 1, Member: 7, Compacted: 3}
	for i := range 60 { // the first of these leave free leaves behind
		f.Records = append(f.Records, forged.Record{Rev: int64(4 + i), Key: forged.SecretKey(i), Value: secret(strings.TrimPrefix(forged.SecretKey(i), "/registry/secrets/default/"))})
		if i < 30 {
			f.Freed = append(f.Freed, int64(4+i))
		}
	}
	db := f.Bytes(t)
	r, _ := run(t, Options{}, inMemory(db))
	want := map[report.Text]report.State{}
	for _, x := range r.Exposures {
		want[x.Key] = x.State
	}
	if want["/registry/secrets/default/s-50"] != report.StateLive || want["/registry/secrets/default/s-1"] != report.StateDeleted || !r.Verdict.Complete {
		t.Fatalf("%+v, %v", r.Verdict, want)
	}
	pf, err := page.Open(bytes.NewReader(db), int64(len(db)))
	if err != nil {
		t.Fatal(err)
	}
	m, _, _ := pf.Meta()
	ids := map[uint64]bool{0: true, 1: true, math.MaxUint64 - 1: true, 1 << 40: true, uint64(m.HighWater): true}
	for id := range uint64(m.HighWater) {
		ids[id] = true // every page: the root, leaves of the tree, free leaves
	}
	for id := range ids {
		r, _ := run(t, Options{}, inMemory(setFreelist(t, db, id)))
		got := map[report.Text]report.State{}
		for _, x := range r.Exposures {
			got[x.Key] = x.State
		}
		for key, state := range want {
			if got[key] != state {
				t.Errorf("freelist %d: %s is %q, want %q", id, key, got[key], state)
			}
		}
		if len(r.Coverage.Damage) == 0 || r.Verdict.Status == report.StatusClean {
			t.Errorf("freelist %d: no damage, %s", id, r.Verdict.Status)
		}
		for _, d := range r.Coverage.Damage {
			if !d.Freelist || !strings.Contains(d.What, "freelist") || !strings.HasSuffix(d.What, "; every key could be read") {
				t.Errorf("freelist %d: %+v", id, d)
			}
		}
		if !r.Coverage.FreelistAlone() {
			t.Errorf("freelist %d: something else is wrong: %+v", id, r.Coverage.Damage)
		}
	}
	// With other damage nobody knows whether every key was read.
	broken := setFreelist(t, db, 1<<40)
	broken[int(m.Root)*pf.PageSize+8] = 0xff
	r, _ = run(t, Options{}, inMemory(broken))
	for _, d := range r.Coverage.Damage {
		if strings.Contains(d.What, "every key") {
			t.Errorf("%+v", d)
		}
	}
}
