package naming

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/etcdsift/etcdsift/analyzer/evidence"
	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/decode/envelope"
	"github.com/etcdsift/etcdsift/decode/mvcc"
	"github.com/etcdsift/etcdsift/decode/resource"
	"github.com/etcdsift/etcdsift/fixtures"
)

// A table is evidence as the sweep would leave it, made by hand: a file that holds nothing but
// values, and what was seen in it.
type table struct {
	t    *testing.T
	file []byte
	ev   *seen.Evidence
	// interest is shared by all evidence of a run.
	interest *seen.Interest
}

func newTable(t *testing.T) *table {
	t.Helper()
	in := seen.NewInterest(seen.Want{
		Resources: []resource.GroupResource{seen.Secrets}, Sealed: func(envelope.Envelope, uint64) {},
	})
	return &table{t: t, ev: seen.New(evidence.Source{Path: "db"}, in), interest: in}
}

// write puts a value into the file, and returns its offset.
func (tb *table) write(value []byte) int64 {
	off := len(tb.file)
	tb.file = append(tb.file, value...)
	return int64(off)
}

// put makes value the newest value of key, at revision rev.
func (tb *table) put(key string, rev int64, value []byte) *table {
	r := mvcc.Record{Revision: mvcc.Revision{Main: rev}, ValueOff: tb.write(value)}
	r.Key, r.Value, r.ModRevision, r.CreateRevision, r.Version = []byte(key), value, rev, rev, 1
	tb.ev.Keys.Add(&r, nil)
	return tb
}

// copy makes a copy of value in a place, and returns it.
func (tb *table) copy(key string, rev int64, place seen.Place, value []byte) *seen.Copy {
	storage, _ := tb.ev.Keys.ParseStorage(value, 0) // a broken one is stored somehow, too
	off := tb.write(value)
	var holds seen.ContentID
	if tb.interest.HoldsSecret(key, value, off) {
		holds = tb.ev.Contents.Add(value, off)
	}
	tb.ev.Keep(seen.Copy{
		Holds: holds, Key: key, Rev: mvcc.Revision{Main: rev}, Off: off, Size: int64(len(value)), File: seen.DBFile, Place: place,
		Storage: storage, Object: true, Complete: true, Sum: tb.interest.Sum(value),
	})
	return tb.ev.Copies.At(tb.ev.Copies.Len() - 1)
}

// evidence is what was seen, over the file as it is now.
func (tb *table) evidence() *seen.Evidence {
	tb.ev.File, tb.ev.Size = bytes.NewReader(tb.file), int64(len(tb.file))
	return tb.ev
}

// learned is the evidence after Learn.
func (tb *table) learned(given ...string) *seen.Evidence {
	tb.t.Helper()
	ev := tb.evidence()
	if err := Learn(tb.t.Context(), ev, given); err != nil {
		tb.t.Fatal(err)
	}
	return ev
}

// secret is a Secret as an API server stores it, with a password of its own.
func secret(t *testing.T, namespace, name string) []byte {
	t.Helper()
	b, err := fixtures.EncodeSecret(namespace, name, map[string]string{"password": "the password of " + namespace + "/" + name}, fixtures.Protobuf)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// jsonObject is one of that type in JSON.
func jsonObject(apiVersion, kind, name string) []byte {
	return fmt.Appendf(nil, `{"apiVersion":%q,"kind":%q,"metadata":{"name":%q}}`+"\n", apiVersion, kind, name)
}
