package carve

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/etcdsift/etcdsift/decode/internal/keyvalue"
	"github.com/etcdsift/etcdsift/decode/internal/raw"
	"github.com/etcdsift/etcdsift/decode/internal/unknown"
	"github.com/etcdsift/etcdsift/fixtures"
	"github.com/etcdsift/etcdsift/fixtures/alloc"
	"github.com/etcdsift/etcdsift/fixtures/forged"
)

const block = 4096

// A stored is a value as an API server stores it, with its key.
type stored struct {
	key   string
	value []byte
}

// someValues is n writes of a busy cluster, of all kinds.
func someValues(t testing.TB, n int) []stored {
	t.Helper()
	load, err := fixtures.NewLoad(context.Background(), "carve", 0, false)
	if err != nil {
		t.Fatal(err)
	}
	defer load.Close()
	var list []stored
	for range n {
		key, value, err := load.Next(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, stored{key, value})
	}
	return list
}

// record is a second write of the key as it stands in a leaf page.
func record(t testing.TB, s stored, rev int64) []byte {
	t.Helper()
	return forged.Record{Rev: rev, Create: rev - 1, Version: 2, Key: s.key, Value: s.value}.Bytes(t)
}

// ciphertext is n bytes that no test can tell from AES.
func ciphertext(seed uint64, n int) []byte { return forged.Noise(fmt.Sprint(seed), n) }

// checkFinds checks what is true of all finds, and returns them.
func checkFinds(t interface{ Fatalf(string, ...any) }, b []byte, off int64) []Find {
	var finds []Find
	pos := 0
	for f := range Scan(b, off, block) {
		start := int(f.Off - off)
		if start < pos || start+len(f.Bytes) > len(b) || len(f.Bytes) == 0 {
			t.Fatalf("%v at %d, %d bytes, behind %d", f.Kind, start, len(f.Bytes), pos)
		}
		if !raw.IsZero(b[pos:start]) {
			t.Fatalf("bytes %d to %d are in no find", pos, start)
		}
		if len(f.Value) > 0 && !bytes.Equal(b[f.ValueOff-off:][:len(f.Value)], f.Value) {
			t.Fatalf("value at %d is not there", f.ValueOff)
		}
		pos = start + len(f.Bytes)
		finds = append(finds, f)
	}
	if !raw.IsZero(b[pos:]) {
		t.Fatalf("bytes from %d on are in no find", pos)
	}
	return finds
}

// Records that stand whole among other bytes are all found, with their keys,
// revisions and values.
func TestScanRecords(t *testing.T) {
	values := someValues(t, 300)
	rapid.Check(t, func(r *rapid.T) {
		var b []byte
		type planted struct {
			stored
			rev int64
			off int
		}
		var want []planted
		for range rapid.IntRange(1, 6).Draw(r, "records") {
			switch rapid.SampledFrom([]string{"none", "zeros", "random", "text"}).Draw(r, "before") {
			case "zeros":
				b = append(b, make([]byte, rapid.IntRange(1, 300).Draw(r, "n"))...)
			case "random":
				b = append(b, ciphertext(rapid.Uint64().Draw(r, "seed"), rapid.IntRange(1, 5000).Draw(r, "n"))...)
			case "text":
				b = append(b, strings.Repeat("the middle of a value, ", rapid.IntRange(1, 200).Draw(r, "n"))...)
			}
			s := rapid.SampledFrom(values).Draw(r, "value")
			rev := rapid.Int64Range(2, 1<<40).Draw(r, "revision")
			rec := record(t, s, rev)
			if rapid.Bool().Draw(r, "without the bucket's key") && (bytes.HasPrefix(s.value, unknown.Magic) || bytes.HasPrefix(s.value, envelopeMagic)) {
				rec = rec[keyvalue.RevisionSize:]
			}
			want = append(want, planted{s, rev, len(b) + len(rec) - len(s.value)})
			b = append(b, rec...)
		}
		finds := checkFinds(r, b, 7*block)
		for _, w := range want {
			found := false
			for _, f := range finds {
				found = found || f.Kind == Record && f.Key == w.key && f.ModRevision == w.rev && f.CreateRevision == w.rev-1 &&
					f.Version == 2 && f.Complete && int(f.ValueOff-7*block) == w.off && bytes.Equal(f.Value, w.value)
			}
			if !found {
				r.Fatalf("%s at revision %d, %d bytes at %d, is not found among %d finds", w.key, w.rev, len(w.value), w.off, len(finds))
			}
		}
	})
}

// Wherever a record is cut, what is left of it is its own, and is not complete.
func TestScanCut(t *testing.T) {
	for _, s := range someValues(t, 60) {
		rec := record(t, s, 77)
		head := len(rec) - len(s.value)
		for _, end := range []int{head + 20, head + len(s.value)/2, len(rec) - 1} {
			if end >= len(rec) || end < head+20 {
				continue
			}
			finds := checkFinds(t, rec[:end], 0)
			f := finds[0]
			if f.Kind != Record || f.Complete || f.Key != s.key || f.ModRevision != 77 || !bytes.HasPrefix(s.value, f.Value) {
				t.Errorf("%s cut at %d of %d: %v, key %q, revision %d, complete %t", s.key, end, len(rec), f.Kind, f.Key, f.ModRevision, f.Complete)
			}
		}
	}
}

// Plaintext does not hide behind the length that a ciphertext had, in the same block.
func TestScanTextInCiphertext(t *testing.T) {
	for _, how := range []string{"aescbc", "aesgcm", "secretbox"} {
		sealed := forged.Envelope(how+":v1:key1", ciphertext(1, 800))
		whole := record(t, stored{"/registry/secrets/a/b", sealed}, 9)
		finds := checkFinds(t, whole, 0)
		if len(finds) != 1 || !finds[0].Complete {
			t.Errorf("%s: %d finds of a whole record", how, len(finds))
		}
		text := strings.Repeat("password: this is no ciphertext\n", 10)
		copy(whole[len(whole)-501:], "\xff"+text) // the byte before it is none of a text
		finds = checkFinds(t, whole, 0)
		if len(finds) < 2 || finds[0].Kind != Record || finds[0].Complete || finds[1].Kind != Orphan || !bytes.HasPrefix(finds[1].Bytes, []byte(text)) {
			t.Errorf("%s: %d finds, the first %v, complete %v", how, len(finds), finds[0].Kind, finds[0].Complete)
		}
	}
}

// Objects without anything before them say what they are.
func TestScanObjects(t *testing.T) {
	for _, s := range someValues(t, 200) {
		if !bytes.HasPrefix(s.value, unknown.Magic) && !bytes.HasPrefix(s.value, jsonMagic) {
			continue
		}
		b := append(ciphertext(1, 100), s.value...)
		finds := checkFinds(t, b, 0)
		f := finds[len(finds)-1]
		parts := strings.Split(s.key, "/")
		if f.Kind != Object || !f.Complete || f.Name != parts[len(parts)-1] || f.Namespace != parts[len(parts)-2] || !bytes.Equal(f.Value, s.value) {
			t.Errorf("%s: %v %s/%s, %d of %d bytes, complete %t", s.key, f.Kind, f.Namespace, f.Name, len(f.Value), len(s.value), f.Complete)
		}
	}
}

// A label of a group may be longer than a label is elsewhere, as in Kubernetes, which
// bounds the group alone.
func TestScanGroupWithLongLabel(t *testing.T) {
	for _, n := range []int{63, 64, 200} {
		group := strings.Repeat("g", n) + ".example.com"
		apiVersion := group + "/v1"
		for encoding, value := range map[string]string{
			"JSON":     `{"apiVersion":"` + apiVersion + `","kind":"Vault","metadata":{"name":"main","namespace":"payments"}}` + "\n",
			"protobuf": "k8s\x00" + forged.Field(1, forged.Field(1, apiVersion)+forged.Field(2, "Vault")) + forged.Field(2, forged.Field(1, forged.Field(1, "main")+forged.Field(3, "payments"))) + forged.Field(3, "") + forged.Field(4, ""),
		} {
			finds := checkFinds(t, []byte(value), 0)
			if len(finds) != 1 || finds[0].Kind != Object || finds[0].APIVersion != apiVersion || finds[0].Name != "main" || !finds[0].Complete {
				t.Errorf("%s, label of %d bytes: %+v", encoding, n, finds)
			}
		}
	}
}

// Of ciphertext and random bytes, none may be called anything else; of text, base64
// and objects, none random. The counts are logged.
func TestClassifyCiphertext(t *testing.T) {
	sizes := []int{48, 100, 300, 511, 512, 1000, 4096}
	wrong, total := 0, 0
	for seed := range uint64(3000) {
		for _, n := range sizes {
			total++
			if c := Classify(ciphertext(seed, n)); c != Random {
				wrong++
				t.Errorf("%d bytes of ciphertext look %v", n, c)
			}
		}
	}
	t.Logf("%d of %d pieces of ciphertext are not called random", wrong, total)
}

func TestClassifyText(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	random, total := 0, 0
	check := func(what string, b []byte, want Class) {
		for i := 0; i+48 <= len(b); i += 4096 {
			part := b[i:min(len(b), i+4096)]
			if len(part) < 48 {
				continue
			}
			total++
			c := Classify(part)
			if c == Random {
				random++
			}
			if c == Random && len(part) >= 128 {
				t.Errorf("%s: %d bytes look random", what, len(part))
			}
			if want == Text && c != Text {
				t.Errorf("%s: %d bytes look %v", what, len(part), c)
			}
		}
	}
	for seed := range uint64(200) {
		raw := ciphertext(seed, 50+rnd.IntN(6000))
		check("base64", []byte(base64.StdEncoding.EncodeToString(raw)), Text)
	}
	check("English", []byte(strings.Repeat("It was a bright cold day in April. ", 300)), Text)
	check("Greek", []byte(strings.Repeat("Ὅσον ζῇς φαίνου ", 300)), Text)
	check("Japanese", []byte(strings.Repeat("古池や蛙飛びこむ水の音", 300)), Text)
	for _, s := range someValues(t, 500) {
		if bytes.HasPrefix(s.value, unknown.Magic) {
			check(s.key, s.value, Mixed)
		}
	}
	t.Logf("%d of %d pieces of text are called random", random, total)
}

// Text that ciphertext surrounds is not lost.
func TestClassifyTextInCiphertext(t *testing.T) {
	for seed := range uint64(200) {
		b := ciphertext(seed, 4096)
		copy(b[seed*17:], strings.Repeat("password=hunter2 ", 8))
		if c := Classify(b); c == Random {
			t.Errorf("136 bytes of text at %d of a block look random", seed*17)
		}
	}
}

// A piece of a value is found in it wherever it lies, at any alignment.
func TestIndex(t *testing.T) {
	values := someValues(t, 400)
	rapid.Check(t, func(r *rapid.T) {
		s := rapid.SampledFrom(values).Draw(r, "value").value
		if len(s) < 200 {
			return
		}
		lo := rapid.IntRange(0, len(s)-100).Draw(r, "lo")
		hi := rapid.IntRange(lo+80, len(s)).Draw(r, "hi")
		piece := bytes.Clone(s[lo:hi])
		before := 0
		if lo == 0 && rapid.Bool().Draw(r, "with the end of another") {
			other := ciphertext(rapid.Uint64().Draw(r, "seed"), 100)
			piece, before = append(other, piece...), len(other)
		}
		x := NewIndex()
		for _, v := range values[:20] {
			x.Add(v.value[len(v.value)/2:])
		}
		id, ok := x.Add(piece)
		if !ok {
			return // nothing in it is distinctive
		}
		for c := range x.Candidates(s) {
			if c.Piece != id {
				continue
			}
			if from, to, ok := c.Match(piece, s); ok && from == before && to == len(piece) {
				return
			}
		}
		r.Fatalf("bytes %d to %d of a value of %d are not found", lo, hi, len(s))
	})
}

// What two objects have in common is not enough to call a piece one of the other.
func TestIndexBoilerplate(t *testing.T) {
	values := someValues(t, 600)
	x := NewIndex()
	var owners []int
	for i, s := range values {
		if len(s.value) < 400 {
			continue
		}
		if _, ok := x.Add(s.value[len(s.value)/3 : len(s.value)*2/3]); ok {
			owners = append(owners, i)
		}
	}
	for i, s := range values {
		for c := range x.Candidates(s.value) {
			owner := values[owners[c.Piece]]
			piece := owner.value[len(owner.value)/3 : len(owner.value)*2/3]
			if _, _, ok := c.Match(piece, s.value); ok && !bytes.Contains(s.value, piece) {
				t.Errorf("a piece of %s is found in value %d", owner.key, i)
			}
		}
	}
	if len(owners) < 100 {
		t.Errorf("%d pieces: too few", len(owners))
	}
}

// Hostile bytes cost no more than others.
func TestScanIsLinear(t *testing.T) {
	for _, s := range []string{`{"`, `{"kind":"`, `{"apiVersion":"v1",`, "k8s\x00", "k8s:enc:", "\n", "_\x00\x00\x00\x00\x00", "\x0a\x01/\x10\x01\x18\x01\x20\x01\x2a\x7fk8s\x00"} {
		b := []byte(strings.Repeat(s, (4<<20)/len(s)))
		n := 0
		for range Scan(b, 0, block) {
			n++
		}
		if n > len(b) {
			t.Errorf("%q: %d finds", s, n)
		}
	}
}

// What is carved is cut out of its page; of JSON the names of an object are looked at.
var scanBound = alloc.Bound{Fixed: 16 << 10, PerByte: 64}

func FuzzScan(f *testing.F) {
	for i, s := range someValues(f, 20) {
		f.Add(record(f, s, int64(i+2)))
		f.Add(append([]byte("before"), s.value[:len(s.value)*2/3]...))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		checkFinds(t, b, 3*block+100)
		scanBound.Check(t, len(b), func() {
			for range Scan(b, 0, block) {
			}
		})
	})
}

func FuzzIndex(f *testing.F) {
	f.Add([]byte(strings.Repeat("the quick brown fox ", 20)), uint16(10), uint16(100))
	f.Add([]byte("k8s\x00 and so on, with something that is distinctive enough 1234567890"), uint16(0), uint16(70))
	f.Fuzz(func(t *testing.T, value []byte, lo, n uint16) {
		if int(lo) >= len(value) || len(value) > 1<<16 {
			return
		}
		piece := value[lo:min(len(value), int(lo)+int(n))]
		x := NewIndex()
		id, ok := x.Add(piece)
		for c := range x.Candidates(value) {
			from, to, match := c.Match(piece, value)
			if from < 0 || to > len(piece) || match && !bytes.Equal(piece[from:to], value[from+c.Delta:to+c.Delta]) {
				t.Fatalf("bytes %d to %d of a piece of %d", from, to, len(piece))
			}
			if match && c.Piece == id && from == 0 && to == len(piece) {
				return
			}
		}
		if ok && len(value) < 1<<12 {
			t.Fatalf("bytes %d to %d of a value of %d are not found", lo, int(lo)+len(piece), len(value))
		}
	})
}

func BenchmarkScan(b *testing.B) {
	kinds := map[string][]byte{"random": ciphertext(1, 1<<20), "text": []byte(strings.Repeat("It was a bright cold day in April. ", 30_000))}
	for name, data := range kinds {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				for range Scan(data, 0, block) {
				}
			}
		})
	}
}

func BenchmarkIndex(b *testing.B) {
	x := NewIndex()
	for seed := range uint64(10_000) {
		x.Add([]byte(base64.StdEncoding.EncodeToString(ciphertext(seed, 3000))))
	}
	var data []byte
	for _, s := range someValues(b, 500) {
		data = append(data, s.value...)
	}
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		for range x.Candidates(data) {
		}
	}
}
