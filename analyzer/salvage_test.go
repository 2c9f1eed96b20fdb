package analyzer

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/etcdsift/etcdsift/analyzer/evidence"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/fixtures"
	"github.com/etcdsift/etcdsift/fixtures/forged"
)

// twoTrees is a db whose two metas lead to different trees.
func twoTrees(t *testing.T) ([]byte, fixtures.PageMap) {
	t.Helper()
	b := forged.DB{Records: []forged.Record{
		{Rev: 5, Key: forged.SecretKey(1), Value: forged.Sealed(gcmKey, "1")},
		{Rev: 6, Key: "/registry/configmaps/default/c", Value: []byte("k8s\x00 no object")},
		{Rev: 7, Key: forged.SecretKey(1), Create: 5, Version: 2, Value: forged.Sealed(gcmKey, "7")},
	}, Freed: []int64{6}, Index: 10}.Bytes(t)
	m, err := fixtures.MapPages(b)
	if err != nil {
		t.Fatal(err)
	}
	return b, m
}

// Where the tree of the newest meta is broken, that of the older is used, and it is said
// which. A key that only the newest had would be unknown; here there is none.
func TestOlderTree(t *testing.T) {
	healthy, m := twoTrees(t)
	r, values := run(t, Options{}, inMemory(healthy))
	if len(values) != 1 || r.Verdict.ExitStatus >= report.ExitIncomplete {
		t.Fatalf("%d values, %+v", len(values), r.Verdict)
	}
	broken := bytes.Clone(healthy)
	clear(broken[int(m.Root)*m.PageSize : int(m.Root+1)*m.PageSize])
	r, values = run(t, Options{}, inMemory(broken))
	if len(values) != 2 || values[0].State != "" || values[1].State != "" {
		t.Errorf("values %+v", values)
	}
	if r.Verdict.ExitStatus != report.ExitIncomplete || !strings.Contains(r.Coverage.Damage[0].What, "its tree is broken, and that of transaction") {
		t.Errorf("%+v, damage %+v", r.Verdict, r.Coverage.Damage)
	}
	metas := r.Evidence[0].Details.Metas
	used, newest := metas[1-m.Newest], metas[m.Newest]
	if !used.UsedInstead || used.Newest || newest.UsedInstead || !newest.Newest || r.Evidence[0].TxID != used.TxID {
		t.Errorf("%+v, transaction %d", metas, r.Evidence[0].TxID)
	}
}

// A bad meta makes the other one's tree the newest that there is. Only what was written
// after all of it can be what is lost: a key that it has deleted does not come back.
func TestOneMetaLost(t *testing.T) {
	healthy, m := twoTrees(t)
	for _, lost := range []int{m.Newest, 1 - m.Newest} {
		broken, _, err := fixtures.CorruptMeta(lost).Apply(healthy)
		if err != nil {
			t.Fatal(err)
		}
		r, values := run(t, Options{}, inMemory(broken))
		want := 1
		if lost == m.Newest {
			want = 2 // the older tree has both
		}
		if len(values) != want || slices.ContainsFunc(values, func(v report.Value) bool { return v.State != "" }) || r.Verdict.ExitStatus != report.ExitIncomplete {
			t.Errorf("without meta %d: %+v, %+v", lost, values, r.Verdict)
		}
	}
}

// What is on the free pages of a healthy file is in no list, and is unknown once the tree
// is gone. A plaintext Secret among it is exposed, and not as a live one.
func TestSalvagedState(t *testing.T) {
	secret := []byte("k8s\x00\n\x0c\n\x02v1\x12\x06Secret\x12\x10\n\x0e\n\x03s-1\x1a\x07default\x1a\x00\"\x00")
	f := forged.DB{Records: []forged.Record{{Rev: 5, Key: forged.SecretKey(1), Value: secret}, {Rev: 6, Key: forged.SecretKey(2), Value: forged.Sealed(gcmKey, "2")}},
		Freed: []int64{5}, Index: 10}
	healthy := f.Bytes(t)
	r, values := run(t, Options{}, inMemory(healthy))
	if len(values) != 1 || r.Verdict.ExitStatus == report.ExitIncomplete || r.Exposures[0].State != report.StateDeleted {
		t.Fatalf("%+v, %+v", values, r.Exposures)
	}
	broken := bytes.Clone(healthy)
	clear(broken[:2*4096])
	r, values = run(t, Options{FailOn: report.SeverityHigh}, inMemory(broken))
	if len(values) != 2 || values[0].State != report.StateUnknown || values[1].State != report.StateUnknown {
		t.Errorf("values %+v", values)
	}
	if len(r.Exposures) != 1 || r.Exposures[0].State != report.StateUnknown || r.Exposures[0].Status != report.StatusExposed {
		t.Errorf("exposures %+v", r.Exposures)
	}
	if len(of(r, report.RulePlaintextLive)) > 0 || len(of(r, report.RulePlaintextFree)) != 1 {
		t.Errorf("findings %+v", r.Findings)
	}
	if d := r.Evidence[0].Details; d.LiveKeys != 0 || d.UnknownKeys != 2 {
		t.Errorf("%d live keys, %d unknown", d.LiveKeys, d.UnknownKeys)
	}
}

// A record in another bucket is found there, and is damage: two references changed places.
func TestForeignBucket(t *testing.T) {
	healthy := snapshotBytes(t, "deleted")
	healthy = healthy[:len(healthy)-evidence.SnapshotHashSize]
	before, _ := run(t, Options{FailOn: report.SeverityHigh}, inMemory(healthy))
	broken := bytes.Clone(healthy)
	m, err := fixtures.MapPages(broken)
	if err != nil {
		t.Fatal(err)
	}
	root := broken[int(m.Root)*m.PageSize : int(m.Root+1)*m.PageSize]
	key, lease := bytes.Index(root, []byte("key")), bytes.Index(root, []byte("lease"))
	if key < 0 || lease < 0 {
		t.Fatal("no such buckets")
	}
	for i := range 8 {
		root[key+3+i], root[lease+5+i] = root[lease+5+i], root[key+3+i]
	}
	r, _ := run(t, Options{FailOn: report.SeverityHigh}, inMemory(broken))
	if r.Verdict.ExitStatus != report.ExitIncomplete || len(r.Exposures) != len(before.Exposures) {
		t.Errorf("%+v, %d of %d exposures", r.Verdict, len(r.Exposures), len(before.Exposures))
	}
}
