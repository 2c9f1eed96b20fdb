package analyzer

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"

	"github.com/etcdsift/etcdsift/analyzer/evidence"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode/page"
	"github.com/etcdsift/etcdsift/fixtures/forged"
)

const tellAllKey = "/registry/secrets/payments/tell-all"

// A longLeaf is a db with a leaf of a long value of a ConfigMap, and behind it in the same
// leaf an encrypted Secret. A test may write to its overflow pages, as a copy of a running
// etcd does that has them of another moment than the leaf.
type longLeaf struct {
	db    []byte
	first int // page with the header of the leaf
	last  int // its last overflow page
}

func newLongLeaf(t *testing.T) longLeaf {
	t.Helper()
	db := forged.DB{Records: []forged.Record{
		{Rev: 5, Key: "/registry/configmaps/default/long", Value: bytes.Repeat([]byte("a long value "), 1500)},
		{Rev: 6, Key: forged.SecretKey(1), Value: forged.Sealed(gcmKey, "1")},
	}, Index: 10}.Bytes(t)
	f, err := page.Open(bytes.NewReader(db), int64(len(db)))
	if err != nil {
		t.Fatal(err)
	}
	for p, err := range f.Sweep(f.Walk(page.Branches), nil) {
		if err == nil && p.Use == page.Leaf && p.Header.Overflow > 3 {
			return longLeaf{db, int(p.ID), int(p.ID) + int(p.Header.Overflow)}
		}
	}
	t.Fatal("no leaf with overflow pages")
	return longLeaf{}
}

// page is the bytes of a page, and of those behind it.
func (l longLeaf) page(id int) []byte { return l.db[id*4096:] }

// copies are those of the Secret tell-all.
func tellAllCopies(r *allAnswers) (all []*report.Copy, state report.State) {
	for _, x := range r.Exposures {
		if x.Key == tellAllKey {
			return x.Copies, x.State
		}
	}
	return nil, ""
}

// A leaf among the overflow pages of another is a free one: its records are copies, and its
// bytes are residue, each once. The tree stays what it was.
func TestInnerLeaf(t *testing.T) {
	secret := forged.Record{Rev: 9, Key: tellAllKey, Value: tellAll}
	newer := forged.Record{Rev: 99, Key: forged.SecretKey(1), Value: forged.Sealed(gcmKey, "forged")}
	long := forged.Record{Rev: 8, Key: "/registry/configmaps/default/other", Value: bytes.Repeat([]byte("other "), 1000)}
	tests := []struct {
		name  string
		write func(l longLeaf)
		pages int64 // that are residue then
		want  int   // copies of the Secret
	}{
		{"one", func(l longLeaf) { copy(l.page(l.first+1), forged.Leaf(t, uint64(l.first+1), 0, secret, newer)) }, 1, 1},
		{"one with a page of its own", func(l longLeaf) { copy(l.page(l.first+1), forged.Leaf(t, uint64(l.first+1), 1, long, secret)) }, 2, 1},
		{"two side by side, the first cut", func(l longLeaf) {
			copy(l.page(l.first+1), forged.Leaf(t, uint64(l.first+1), 1, long))
			copy(l.page(l.first+2), forged.Leaf(t, uint64(l.first+2), 0, secret))
		}, 2, 1},
		{"one that claims all pages", func(l longLeaf) { copy(l.page(l.first+1), forged.Leaf(t, uint64(l.first+1), 1<<32-1, secret)) }, 4, 1},
		{"the header of another page", func(l longLeaf) { copy(l.page(l.first+1), forged.Leaf(t, uint64(l.first+2), 0, secret)) }, 0, 0},
		{"a branch page", func(l longLeaf) {
			copy(l.page(l.first+1), forged.Leaf(t, uint64(l.first+1), 0, secret))
			binary.LittleEndian.PutUint16(l.page(l.first + 1)[8:], 1)
		}, 0, 0},
		{"an element past the end", func(l longLeaf) {
			copy(l.page(l.first+1), forged.Leaf(t, uint64(l.first+1), 0, secret))
			forged.PutElement(l.page(l.first+1), 0, 0, 4000, 17, 1<<31)
		}, 0, 0},
	}
	healthy, _ := run(t, Options{FailOn: report.SeverityHigh}, newLongLeaf(t).source())
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := newLongLeaf(t)
			tt.write(l)
			r, values := run(t, Options{FailOn: report.SeverityHigh}, l.source())
			copies, state := tellAllCopies(r)
			if len(copies) != tt.want {
				t.Fatalf("copies %+v", copies)
			}
			for _, c := range copies {
				if c.Region != report.RegionFree || !c.Complete || int(c.Offset) != bytes.Index(l.db, tellAll) || c.ModRevision != 9 || state != report.StateUnknown {
					t.Errorf("%+v, %s", c, state)
				}
			}
			if n := r.Coverage.Residue.Bytes - healthy.Coverage.Residue.Bytes; n != tt.pages*4096 {
				t.Errorf("%d more bytes of residue, want those of %d pages", n, tt.pages)
			}
			if got, want := r.Evidence[0].FreePages, healthy.Evidence[0].FreePages; got != want {
				t.Errorf("%d free pages, want %d", got, want)
			}
			if len(values) != 2 || slices.ContainsFunc(values, func(v report.Value) bool { return v.ModRevision > 6 || v.State != "" }) {
				t.Errorf("values %+v", values)
			}
			if len(r.Coverage.Damage) > 0 {
				t.Errorf("damage %+v", r.Coverage.Damage)
			}
		})
	}
}

func (l longLeaf) source() evidence.Source { return inMemory(l.db) }

// The last page of a leaf is of another moment and has no header. A record on it that the
// leaf's elements cut in two is found all the same, and so is the newest value of its key;
// also where the tree has the leaf in another bucket than "key".
func TestRecordAcrossElements(t *testing.T) {
	l := newLongLeaf(t)
	_, at := forged.Record{Rev: 6, Key: forged.SecretKey(1), Value: forged.Sealed(gcmKey, "1")}.Element(t)
	start := bytes.LastIndex(l.db[:(l.last+1)*4096], at)
	if start < l.last*4096 {
		t.Fatal("the second element is not on the last page")
	}
	record := forged.Record{Rev: 9, Key: tellAllKey, Value: tellAll}.Bytes(t)
	copy(l.db[start-50:], record)
	bucket := binary.LittleEndian.AppendUint64([]byte("key"), uint64(l.first))
	for _, name := range []string{"key", "kez"} {
		db := bytes.ReplaceAll(l.db, bucket, append([]byte(name), bucket[3:]...))
		r, values := run(t, Options{FailOn: report.SeverityHigh}, inMemory(db))
		copies, state := tellAllCopies(r)
		if len(copies) != 1 || !copies[0].Complete || int(copies[0].Offset) != bytes.Index(db, tellAll) || state != report.StateUnknown {
			t.Errorf("bucket %s: copies %+v, %s", name, copies, state)
		}
		if !slices.ContainsFunc(values, func(v report.Value) bool {
			return v.Key == tellAllKey && v.ModRevision == 9 && v.State == report.StateUnknown
		}) {
			t.Errorf("bucket %s: values %+v", name, values)
		}
		if r.Verdict.ExitStatus != report.ExitIncomplete {
			t.Errorf("bucket %s: verdict %+v", name, r.Verdict)
		}
	}
}

// The same on a free leaf, where what is no record may be of another bucket than "key": not
// behind a record, whatever its key looks like.
func TestRecordAcrossFreeElements(t *testing.T) {
	l := newLongLeaf(t)
	id := l.first + 1
	last := forged.Record{Rev: 8, Key: forged.SecretKey(2), Value: forged.Sealed(gcmKey, "2")}
	copy(l.page(id), forged.Leaf(t, uint64(id), 1, forged.Record{Rev: 7, Key: forged.SecretKey(3), Value: gcm("nonce", "value", 6000)}, last))
	record := forged.Record{Rev: 9, Key: tellAllKey, Value: tellAll}.Bytes(t)
	_, at := last.Element(t)
	start := bytes.Index(l.db, at) - 17
	copy(l.db[start:], "a-seventeen-bytes"+string(forged.Noise("other", len(at))))
	copy(l.db[start+len(at)-20:], record)
	r, _ := run(t, Options{FailOn: report.SeverityHigh}, l.source())
	copies, _ := tellAllCopies(r)
	if len(copies) != 1 || !copies[0].Complete || int(copies[0].Offset) != bytes.Index(l.db, tellAll) {
		t.Errorf("copies %+v", copies)
	}
}
