package analyzer

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/etcdsift/etcdsift/analyzer/evidence"
	"github.com/etcdsift/etcdsift/analyzer/internal/keys"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/fixtures/forged"
)

const gcmKey = "aesgcm:v1:key1"

// gcm is a value of n bytes behind a nonce, as aesgcm:key1 stores it. Nothing opens it.
func gcm(nonce, seed string, n int) []byte {
	return forged.Envelope(gcmKey, forged.Noise(nonce, 12), forged.Noise(seed, n))
}

// reuse are the findings of a nonce that was used twice in a db and perhaps a WAL.
func reuse(t *testing.T, sources ...evidence.Source) []report.Finding {
	t.Helper()
	r, _ := run(t, Options{}, sources...)
	if r.Coverage.Residue.Records+r.Coverage.Residue.Fragments == 0 {
		t.Fatal("no residue: the test looks at nothing")
	}
	return of(r, report.RuleNonceReuse)
}

// A copy of a live record in which some bytes were written over is that record still: its
// nonce was not used twice.
func TestDamagedCopyOfRecord(t *testing.T) {
	for _, n := range []int{80, 1500} { // the ends of a longer value are looked at alone
		value := gcm("nonce", "value", n)
		f := forged.DB{Records: []forged.Record{{Rev: 5, Key: forged.SecretKey(1), Value: value}, {Rev: 6, Key: forged.SecretKey(2), Value: gcm("other", "other", 80)}},
			Freed: []int64{6}, Index: 10, Member: 7}
		db := f.Bytes(t)
		copies := offsets(db, value)
		if len(copies) != 2 {
			t.Fatalf("%d copies, want the live one and that on a free page", len(copies))
		}
		for _, off := range copies {
			for _, at := range []int{len(value) - n + 4, len(value) - n/2, len(value) - 1} { // behind the nonce, in the middle, in the tag
				broken := bytes.Clone(db)
				broken[off+at] ^= 1
				if found := reuse(t, inMemory(broken)); len(found) > 0 {
					t.Errorf("%d bytes, byte %d of the copy at %#x: %+v", n, at, off, found)
				}
			}
		}
	}
}

// The WAL has what a free page has, and no revision to tell that by.
func TestDamagedCopyBesideLog(t *testing.T) {
	for _, n := range []int{80, 1500} {
		value, newest := gcm("nonce", "value", n), gcm("other", "other", n)
		f := forged.DB{Records: []forged.Record{{Rev: 5, Key: forged.SecretKey(1), Value: value}, {Rev: 6, Create: 5, Version: 2, Key: forged.SecretKey(1), Value: newest}},
			Freed: []int64{5}, Index: 12, Member: 7}
		db := f.Bytes(t)
		copies := offsets(db, value)
		if len(copies) != 1 {
			t.Fatalf("%d copies, want that on a free page", len(copies))
		}
		log := func() evidence.Source {
			return laterLog(t, 12, [3]string{"11", "s-1", string(value)}, [3]string{"12", "s-1", string(newest)})
		}
		for _, at := range []int{len(value) - n + 4, len(value) - n/2, len(value) - 1} { // the last in the tag
			broken := bytes.Clone(db)
			broken[copies[0]+at] ^= 1
			if found := reuse(t, withLog(inMemory(broken), log())...); len(found) > 0 {
				t.Errorf("%d bytes, byte %d: %+v", n, at, found)
			}
		}
	}
}

// More damaged copies than there is room to look at are no reuse either; that some were
// not looked at is told.
func TestManyDamagedCopies(t *testing.T) {
	f := forged.DB{Index: 10, Member: 7}
	for i := range keys.MaxReused + keys.MaxReused/4 {
		rev := int64(i + 5)
		seed := fmt.Sprint(i)
		f.Records = append(f.Records, forged.Record{Rev: rev, Key: forged.SecretKey(i), Value: gcm(seed, seed, 24)})
		if i%16 == 0 {
			f.Freed = append(f.Freed, rev) // one on each page, so that all pages are written anew
		}
	}
	db := f.Bytes(t)
	size := len(f.Records[0].Value)
	seen, damaged := map[string]bool{}, 0
	for _, off := range offsets(db, []byte("k8s:enc:"+gcmKey+":")) {
		value := string(db[off : off+size])
		if seen[value] {
			db[off+size-1] ^= 1
			damaged++
		}
		seen[value] = true
	}
	if damaged <= keys.MaxReused {
		t.Fatalf("%d damaged copies, want more than %d", damaged, keys.MaxReused)
	}
	r, _ := run(t, Options{}, inMemory(db))
	if found := of(r, report.RuleNonceReuse); len(found) > 0 {
		t.Errorf("%d findings, such as %+v", len(found), found[0])
	}
	if len(r.Coverage.NotExamined) != 1 {
		t.Errorf("not examined: %+v", r.Coverage.NotExamined)
	}
}

// Two values with one nonce are found without a configuration wherever they lie: on a page
// of the tree, on a free one, or in bytes that are no page any more.
func TestReuseInResidue(t *testing.T) {
	first, second := gcm("nonce", "first", 80), gcm("nonce", "second", 80)
	for _, key := range []string{forged.SecretKey(1), forged.SecretKey(2)} {
		f := forged.DB{Records: []forged.Record{{Rev: 5, Key: forged.SecretKey(1), Value: first}, {Rev: 6, Key: key, Value: second},
			{Rev: 7, Key: forged.SecretKey(3), Value: gcm("other", "other", 80)}}, Freed: []int64{5}, Index: 10, Member: 7}
		db := f.Bytes(t)
		copies := offsets(db, first)
		if len(copies) != 1 {
			t.Fatalf("%d copies, want that on a free page", len(copies))
		}
		free := inMemory(bytes.Clone(db))
		start := copies[0] &^ 4095
		clear(db[start : start+16+3*16]) // the header and the elements
		for region, source := range map[report.Region]evidence.Source{report.RegionFree: free, report.RegionFragment: inMemory(db)} {
			found := reuse(t, source)
			if len(found) != 1 || found[0].Key != report.Text(forged.SecretKey(1)) || found[0].Severity != report.SeverityHigh {
				t.Errorf("%s, with a value of %s: %+v", region, key, found)
			}
		}
	}
}

// After a restore without a bump etcd writes the same revisions once more. Two values of one key and one
// revision that have one nonce and else no bytes in common are two writes, and no damaged copy of one.
func TestReuseInOneRevision(t *testing.T) {
	first, second := gcm("nonce", "first", 80), gcm("nonce", "second", 80)
	longer := gcm("nonce", "second", 96)
	for name, tt := range map[string]struct {
		again []byte // the second write of revision 6
		want  int
	}{
		"another value":              {second, 1},
		"another value, longer":      {longer, 1},
		"the same value":             {first, 0},
		"the same value, less a bit": {append(bytes.Clone(first[:len(first)-1]), first[len(first)-1]^1), 0},
	} {
		before := forged.Record{Rev: 5, Key: forged.SecretKey(1), Value: first}
		f := forged.DB{Records: []forged.Record{before, {Rev: 6, Create: 5, Version: 1, Key: forged.SecretKey(1), Value: tt.again},
			{Rev: 7, Key: forged.SecretKey(3), Value: gcm("other", "other", 80)}}, Freed: []int64{5}, Index: 10, Member: 7}
		db := f.Bytes(t)
		key, value := before.Element(t)
		at := bytes.Index(db, slices.Concat(key, value))
		if at < 0 {
			t.Fatal("no record on a free page")
		}
		before.Rev, before.Create, before.Version = 6, 5, 1
		key, value = before.Element(t)
		copy(db[at:], slices.Concat(key, value))
		if found := reuse(t, inMemory(db)); len(found) != tt.want {
			t.Errorf("%s: %d findings, want %d: %+v", name, len(found), tt.want, found)
		}
	}
}
