package mvcc

import (
	"errors"
	"testing"

	etcd "go.etcd.io/etcd/server/v3/storage/mvcc"
	"pgregory.net/rapid"

	"github.com/etcdsift/etcdsift/decode"
)

// Revisions are read as etcd reads them.
func TestRevisionOfEtcd(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		want := Revision{rapid.Int64Min(0).Draw(r, "main"), rapid.Int64Min(0).Draw(r, "sub")}
		dead := rapid.Bool().Draw(r, "tombstone")
		b := etcd.RevToBytes(etcd.Revision{Main: want.Main, Sub: want.Sub}, etcd.NewRevBytes())
		if dead {
			b = append(b, 't')
		}
		got, tombstone, err := ParseRevision(b, 0)
		if err != nil || got != want || tombstone != dead || tombstone != etcd.IsTombstone(b) {
			r.Errorf("%x: revision %v, tombstone %t, error %v; want %v, %t", b, got, tombstone, err, want, dead)
		}
		if back := etcd.BytesToRev(b); back != (etcd.Revision{Main: got.Main, Sub: got.Sub}) {
			r.Errorf("%x: revision %v, etcd says %v", b, got, back)
		}
	})
}

// What etcd panics on is an error, and so is a mark that is not 't'.
func TestRevisionOfRandomBytes(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		b := rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(r, "bytes")
		if len(b) > 8 && rapid.Bool().Draw(r, "separator") {
			b[8] = '_'
		}
		rev, tombstone, err := ParseRevision(b, 0)
		want, ok := bytesToRev(b)
		if ok = ok && (len(b) == 17 || b[17] == 't'); ok != (err == nil) {
			r.Errorf("%x: error %v", b, err)
		}
		if ok && (want != etcd.Revision{Main: rev.Main, Sub: rev.Sub} || tombstone != etcd.IsTombstone(b)) {
			r.Errorf("%x: revision %v, tombstone %t; etcd says %v", b, rev, tombstone, want)
		}
	})
}

// bytesToRev is etcd's own; ok is false where it panics.
func bytesToRev(b []byte) (rev etcd.Revision, ok bool) {
	defer func() { ok = recover() == nil }()
	return etcd.BytesToRev(b), true
}

func TestParseRevisionErrors(t *testing.T) {
	const good = "\x00\x00\x00\x00\x00\x00\x00\x07_\x00\x00\x00\x00\x00\x00\x00\x02"
	cases := []struct {
		name      string
		key       string
		want      Revision
		tombstone bool
		err       error
	}{
		{"write", good, Revision{7, 2}, false, nil},
		{"tombstone", good + "t", Revision{7, 2}, true, nil},
		{"zero", "\x00\x00\x00\x00\x00\x00\x00\x00_\x00\x00\x00\x00\x00\x00\x00\x00", Revision{}, false, nil},
		{"empty", "", Revision{}, false, decode.ErrTruncated},
		{"16 bytes", good[:16], Revision{}, false, decode.ErrTruncated},
		{"wrong separator", good[:8] + "-" + good[9:], Revision{7, 2}, false, decode.ErrValue},
		{"wrong mark", good + "T", Revision{7, 2}, false, decode.ErrValue},
		{"bytes behind the mark", good + "tt", Revision{7, 2}, true, decode.ErrValue},
		{"negative main", "\x80" + good[1:], Revision{-1<<63 + 7, 2}, false, decode.ErrValue},
		{"negative sub", good[:9] + "\xff" + good[10:], Revision{7, -1<<56 + 2}, false, decode.ErrValue},
	}
	for _, c := range cases {
		rev, tombstone, err := ParseRevision([]byte(c.key), 0x55)
		if rev != c.want || tombstone != c.tombstone || !errors.Is(err, c.err) || (err == nil) != (c.err == nil) {
			t.Errorf("%s: %v, %t, error %v; want %v, %t, %v", c.name, rev, tombstone, err, c.want, c.tombstone, c.err)
		}
		var format *decode.FormatError
		if errors.As(err, &format) && format.Off != 0x55 {
			t.Errorf("%s: error at offset %#x", c.name, format.Off)
		}
	}
}

func TestRevisionOrder(t *testing.T) {
	if got := (Revision{12, 3}).String(); got != "12.3" {
		t.Errorf("String: %q", got)
	}
	inOrder := []Revision{{0, 0}, {0, 1}, {1, 0}, {1, 7}, {2, 0}}
	for i, r := range inOrder {
		for j, s := range inOrder {
			got := r.Compare(s)
			if got > 0 != (i > j) || got < 0 != (i < j) {
				t.Errorf("%v.Compare(%v) = %d", r, s, got)
			}
			greater := etcd.Revision{Main: r.Main, Sub: r.Sub}.GreaterThan(etcd.Revision{Main: s.Main, Sub: s.Sub})
			if greater != (got > 0) {
				t.Errorf("%v.Compare(%v) = %d; etcd says greater: %t", r, s, got, greater)
			}
		}
	}
}
