package page

import (
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	bolt "go.etcd.io/bbolt"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/etcdsift/etcdsift/decode/internal/unknown"
	"github.com/etcdsift/etcdsift/decode/internal/wire"
	"github.com/etcdsift/etcdsift/decode/mvcc"
	"github.com/etcdsift/etcdsift/fixtures"
	"github.com/etcdsift/etcdsift/fixtures/forged"
)

var (
	update   = flag.Bool("update", false, "write testdata/small-db.golden anew")
	remakeDB = flag.Bool("remake", false, "make testdata/small.db anew, too: where its pages lie depends on etcd's goroutines")
)

const (
	smallFile   = "testdata/small.db"
	smallGolden = "testdata/small-db.golden"
)

// makeSmallDB has etcd's store write a Secret beside an encrypted one, write it again encrypted, and
// compact the first revision; then bbolt writes the freelist, which etcd leaves out.
func makeSmallDB(t *testing.T) []byte {
	t.Helper()
	file := filepath.Join(t.TempDir(), "db")
	value, err := fixtures.EncodeSecret("default", "s-1", map[string]string{"password": "hunter2"}, fixtures.Protobuf)
	if err != nil {
		t.Fatal(err)
	}
	s := fixtures.OpenStore(file)
	s.Put([]byte(forged.SecretKey(1)), value)
	s.Put([]byte(forged.SecretKey(2)), forged.Envelope("aesgcm:v1:key1", forged.Noise("long", 1100))) // too long to lie inline
	if err := s.Close(); err != nil {                                                                 // as a page of its own transaction
		t.Fatal(err)
	}
	s = fixtures.OpenStore(file)
	last := s.Put([]byte(forged.SecretKey(1)), forged.Envelope("aesgcm:v1:key1", forged.Noise("small", 40)))
	if err := s.Compact(t.Context(), last); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := bolt.Open(file, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Update(func(*bolt.Tx) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	f, err := Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	m, _, _ := f.Meta()
	return b[:int(m.HighWater)*f.PageSize]
}

// A small db, byte by byte, as the decoder reads it: testdata/small-db.golden is for people.
// Every byte of the file is in it once, runs of zeros folded.
func TestSmallDB(t *testing.T) {
	if *remakeDB {
		if err := os.WriteFile(smallFile, makeSmallDB(t), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(smallFile)
	if err != nil {
		t.Fatal(err)
	}
	got := dump(t, b)
	if *update {
		if err := os.WriteFile(smallGolden, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(smallGolden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("the dump is not %s (-update writes it anew):\n%s", smallGolden, got)
	}
	for _, part := range []string{"hunter2", "freelist: page", "free, and what it held", "aesgcm"} {
		if !bytes.Contains(got, []byte(part)) {
			t.Errorf("the dump does not show %q", part)
		}
	}
}

// A dumper writes fields in the order of the file. What no field covers it writes as bytes.
type dumper struct {
	t   *testing.T
	b   []byte
	at  int64 // up to there all is written
	out bytes.Buffer
	// indent is how deep the field at hand lies in others.
	indent int
	tree   *Tree
}

func dump(t *testing.T, b []byte) []byte {
	f, err := Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	d := &dumper{t: t, b: b, tree: f.Walk(Thorough)}
	meta, newest, _ := f.Meta()
	fmt.Fprintf(&d.out, "%d pages of %d bytes, %s. The newest meta is that of page %v; it leads to the root, page %v.\n", f.Pages(), f.PageSize, f.Order, newest, meta.Root)
	for p, err := range f.Sweep(d.tree, nil) {
		if err != nil {
			t.Fatalf("damage in a healthy file: %v", err)
		}
		if p.Inline {
			continue // shown with the leaf around it
		}
		d.rest(p.Off)
		d.title(p)
		if p.Orphan || IsZero(p.Data) {
			continue
		}
		d.header(p)
		switch p.Header.Flags {
		case FlagMeta:
			d.meta(f.Metas[p.ID], p.Off+HeaderSize)
		case FlagFreelist:
			ids, err := p.freeIDs()
			if err != nil {
				t.Fatal(err)
			}
			for _, id := range ids {
				d.field(d.at, 8, "free page", "%v", id)
			}
		case FlagBranch:
			t.Fatal("a small db has no branch")
		case FlagLeaf:
			d.leaf(p)
		}
	}
	d.rest(int64(len(b)))
	return d.out.Bytes()
}

func (d *dumper) title(p Page) {
	what := p.Use.String()
	switch {
	case p.Use == Leaf && p.Bucket == 0:
		what = "the root: a leaf with the buckets"
	case p.Use == Leaf:
		what = fmt.Sprintf("leaf of the bucket %q", d.tree.BucketPath(p.Bucket))
	case p.Use == Freelist:
		what = "freelist: page IDs that the next transaction may write"
	case p.Use == Unreachable:
		what = "free, and what it held"
	}
	fmt.Fprintf(&d.out, "\npage %v, %s\n", p.ID, what)
}

func (d *dumper) header(p Page) {
	off := p.Off
	d.field(off, 8, "page ID", "%v", p.Header.ID)
	d.field(off+8, 2, "flags", "%v", p.Header.Flags)
	d.field(off+10, 2, "count", "%d", p.Header.Count)
	d.field(off+12, 4, "overflow", "%d pages behind this one", p.Header.Overflow)
}

func (d *dumper) meta(m Meta, off int64) {
	d.field(off, 4, "magic", "a bbolt db")
	d.field(off+4, 4, "version", "%d", version)
	d.field(off+8, 4, "page size", "%d bytes", m.PageSize)
	d.field(off+12, 4, "flags", "unused")
	d.field(off+16, 8, "root", "page %v", m.Root)
	d.field(off+24, 8, "sequence", "%d, of the root bucket", m.Sequence)
	if m.HasFreelist() {
		d.field(off+32, 8, "freelist", "page %v", m.Freelist)
	} else {
		d.field(off+32, 8, "freelist", "not in the file")
	}
	d.field(off+40, 8, "high water", "page %v is the first that was never used", m.HighWater)
	d.field(off+48, 8, "transaction", "%d", m.TxID)
	d.field(off+56, 8, "checksum", "FNV-1a of the 56 bytes before it, right: %v", checksumOf(d.b[off:]) == m.Checksum)
}

// checksumOf is what the checksum of a meta has to be.
func checksumOf(meta []byte) uint64 {
	b := bytes.Clone(meta[:metaSize])
	forged.SignMeta(b, binary.LittleEndian)
	return binary.LittleEndian.Uint64(b[metaSummed:])
}

func (d *dumper) leaf(p Page) {
	elements := []LeafElement{}
	for e, err := range p.LeafElements() {
		if err != nil {
			d.t.Fatal(err)
		}
		elements = append(elements, e)
		off := p.Off + int64(HeaderSize+ElementSize*e.Index)
		what := "a key and its value"
		if e.IsBucket() {
			what = "a bucket"
		}
		d.field(off, 4, fmt.Sprintf("element %d", e.Index), "%s", what)
		d.field(off+4, 4, "pos", "key at %#x: so far from this element", e.Off)
		d.field(off+8, 4, "key size", "%d", len(e.Key))
		d.field(off+12, 4, "value size", "%d", len(e.Value))
	}
	d.indent++
	for _, e := range elements {
		d.element(p, e)
	}
	d.indent--
}

func (d *dumper) element(p Page, e LeafElement) {
	if r, err := mvcc.ParseRecord(e.Key, e.Value, e.Off); err == nil && !e.IsBucket() && len(e.Value) > 0 {
		d.field(e.Off, 8, "revision", "main %d", r.Revision.Main)
		d.field(e.Off+8, 1, "", "_")
		d.field(e.Off+9, 8, "", "sub %d", r.Revision.Sub)
		d.message(e.ValueOff(), e.Value, "KeyValue")
		return
	}
	d.field(e.Off, len(e.Key), "key", "%q", e.Key)
	switch inline, ok := p.InlineBucket(e); {
	case ok:
		d.field(e.ValueOff(), 8, "root", "0: the bucket lies here, inline")
		d.field(e.ValueOff()+8, 8, "sequence", "0")
		d.indent++
		d.header(inline)
		d.leaf(inline)
		d.indent--
	case e.IsBucket():
		root, sequence := bucketOf(e.Value, Little)
		d.field(e.ValueOff(), 8, "root", "page %v", root)
		d.field(e.ValueOff()+8, 8, "sequence", "%d", sequence)
	case len(e.Value) > 0:
		d.field(e.ValueOff(), len(e.Value), "value", "%s", stateOf(e))
	}
}

// stateOf is what a value of the bucket "meta" says.
func stateOf(e LeafElement) string {
	var s mvcc.State
	if err := s.Add("meta", e.Key, e.Value, e.ValueOff()); err != nil {
		return "?"
	}
	switch {
	case s.ConsistentIndex > 0:
		return fmt.Sprintf("the db has the raft entries up to %d", s.ConsistentIndex)
	case s.FinishedCompactRev > 0:
		return fmt.Sprintf("revisions below %d are compacted", s.FinishedCompactRev)
	case s.ScheduledCompactRev > 0:
		return fmt.Sprintf("revisions below %d are to be compacted", s.ScheduledCompactRev)
	}
	return fmt.Sprintf("%q", e.Value)
}

// protoFields are the names of the fields of a message, and the message that the
// content is, if it is one.
var protoFields = map[string]map[protowire.Number][2]string{
	"KeyValue": {1: {"key"}, 2: {"create_revision"}, 3: {"mod_revision"}, 4: {"version"}, 5: {"value"}, 6: {"lease"}},
	"Unknown":  {1: {"type", "TypeMeta"}, 2: {"raw", "Secret"}, 3: {"content encoding"}, 4: {"content type"}},
	"TypeMeta": {1: {"apiVersion"}, 2: {"kind"}},
	"Secret":   {1: {"metadata", "Metadata"}, 2: {"data", "Datum"}, 3: {"type"}},
	"Datum":    {1: {"key"}, 2: {"value"}},
	"Metadata": {1: {"name"}, 2: {"generateName"}, 3: {"namespace"}, 4: {"selfLink"}, 5: {"uid"}, 6: {"resourceVersion"}, 7: {"generation"}, 8: {"creationTimestamp"}},
}

// message writes the fields of a protobuf message at off, each as tag, length and content.
func (d *dumper) message(off int64, b []byte, name string) {
	d.indent++
	defer func() { d.indent-- }()
	for len(b) > 0 {
		f, err := wire.Next(b)
		if err != nil {
			d.t.Fatal(err)
		}
		field, head := protoFields[name][f.Num], f.Size-len(f.Bytes)
		what := fmt.Sprintf("%s.%s", name, field[0])
		if f.Type == protowire.VarintType {
			d.field(off, f.Size, what, "field %d: %d", f.Num, f.Varint)
		} else {
			d.field(off, head, what, "field %d, %d bytes", f.Num, len(f.Bytes))
			d.content(off+int64(head), f.Bytes, field)
		}
		off, b = off+int64(f.Size), b[f.Size:]
	}
}

func (d *dumper) content(off int64, b []byte, field [2]string) {
	switch {
	case len(b) == 0:
	case field[1] != "":
		d.message(off, b, field[1])
	case bytes.HasPrefix(b, unknown.Magic):
		u, err := unknown.Parse(b, off)
		if err != nil {
			d.t.Fatal(err)
		}
		n := len(unknown.Magic)
		d.field(off, n, "magic", "an object of Kubernetes in protobuf: %s %s", u.APIVersion, u.Kind)
		d.message(off+int64(n), b[n:], "Unknown")
	case bytes.HasPrefix(b, []byte("k8s:enc:")):
		n := int64(bytes.LastIndex(b, []byte(":key1:")) + len(":key1:"))
		d.field(off, int(n), "prefix", "%s", b[:n])
		d.field(off+n, len(b)-int(n), "ciphertext", "nonce of 12 bytes, and what only the key opens")
	default:
		d.field(off, len(b), "", "%q", b)
	}
}

// field writes n bytes at off, which must not lie before what is written. What lies between
// comes first.
func (d *dumper) field(off int64, n int, name, format string, args ...any) {
	if off < d.at {
		d.t.Fatalf("%s at %#x, and all up to %#x is written", name, off, d.at)
	}
	d.rest(off)
	what := strings.TrimRight(strings.Repeat("  ", d.indent)+name, " ")
	d.lines(off, d.b[off:off+int64(n)], what, fmt.Sprintf(format, args...))
	d.at = off + int64(n)
}

// rest writes the bytes up to off that no field covers.
func (d *dumper) rest(off int64) {
	for d.at < off {
		b := d.b[d.at:off]
		zeros := len(b) - len(bytes.TrimLeft(b, "\x00"))
		n := zeros
		if zeros < 16 && zeros < len(b) { // up to the next long run of zeros
			n = len(b)
			if i := bytes.Index(b[zeros:], make([]byte, 16)); i >= 0 {
				n = zeros + i
			}
			d.lines(d.at, b[:n], "(no field)", fmt.Sprintf("%q", b[:n]))
		} else {
			fmt.Fprintf(&d.out, "%06x  (%d zeros)\n", d.at, n)
		}
		d.at += int64(n)
	}
}

// maxShown is how many bytes of a field are written, and a multiple of eight. Of the rest their
// number is.
const maxShown = 96

// lines writes up to eight bytes a line, with the name and the meaning beside the first.
func (d *dumper) lines(off int64, b []byte, name, meaning string) {
	i, more := 0, len(b)-maxShown
	if more > 0 {
		b = b[:maxShown]
		defer func() { fmt.Fprintf(&d.out, "%06x  (%d bytes more)\n", off+maxShown, more) }()
	}
	for part := range slices.Chunk(b, 8) {
		line := fmt.Sprintf("%06x  %-23s  %-38s %s", off+int64(8*i), fmt.Sprintf("% x", part), name, meaning)
		d.out.WriteString(strings.TrimRight(line, " ") + "\n")
		name, meaning = "", ""
		i++
	}
}
