package v2store

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/etcd/server/v3/etcdserver/api/snap"
	etcd "go.etcd.io/etcd/server/v3/etcdserver/api/v2store"
	"go.etcd.io/raft/v3/raftpb"
	"go.uber.org/zap"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/etcdsift/etcdsift/decode"
	"github.com/etcdsift/etcdsift/fixtures/alloc"
)

// A pair is a value and where it stands in the store.
type pair struct{ Path, Value string }

// secret is a Secret as Kubernetes 1.5 wrote it, with what JSON escapes.
func secret(name string) string {
	return `{"kind":"Secret","apiVersion":"v1","metadata":{"name":"` + name + `","annotations":{"a":"<\u00e4\t\\>"}},"data":{"p":"c2VjcmV0"}}` + "\n"
}

// store is a store of etcd's own code, as JSON, and the values of its nodes.
func store(t testing.TB) (data []byte, want []pair) {
	t.Helper()
	s := etcd.New("/0", "/1")
	values := []pair{
		{"/0/members/81ffdcfb5f4cde8/attributes", `{"name":"n0"}`},
		{"/1/registry/secrets/a/one", secret("one")},
		{"/1/registry/secrets/a/two", secret("two")},
		{"/1/registry/secrets/b/bytes", "k8s\x00\n\x0c\n\x02v1\x12\x06Secret\xff\xfe\x80"},
		{"/1/registry/secrets/b/long", secret(strings.Repeat("x", 3*chunkSize))},
		{"/1/registry/secrets/b/text", `quote " and \ backslash`},
	}
	for _, v := range values {
		if _, err := s.Set(v.Path, false, v.Value, etcd.TTLOptionSet{ExpireTime: time.Time{}}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Set("/1/registry/secrets/a/one", false, secret("other"), etcd.TTLOptionSet{}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Delete("/1/registry/secrets/a/two", false, false); err != nil {
		t.Fatal(err)
	}
	data, err := s.Save()
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range values {
		e, err := s.Get(v.Path, false, false)
		if err == nil {
			want = append(want, pair{v.Path, string([]rune(*e.Node.Value))})
		}
	}
	return data, want
}

// snapshot is the file that etcd's own code makes of the store.
func snapshot(t testing.TB, data []byte) []byte {
	t.Helper()
	dir := t.TempDir()
	err := snap.New(zap.NewNop(), dir).SaveSnap(&raftpb.Snapshot{Data: data,
		Metadata: &raftpb.SnapshotMetadata{ConfState: &raftpb.ConfState{Voters: []uint64{7}}, Index: proto.Uint64(62), Term: proto.Uint64(2)}})
	if err != nil {
		t.Fatal(err)
	}
	names, _ := filepath.Glob(filepath.Join(dir, "*.snap"))
	if len(names) != 1 {
		t.Fatalf("%d snapshots", len(names))
	}
	b, err := os.ReadFile(names[0])
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// wrap is a snapshot file around any bytes, by hand.
func wrap(data []byte) []byte {
	inner := protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), data)
	inner = protowire.AppendBytes(protowire.AppendTag(inner, 2, protowire.BytesType), []byte{0x10, 62, 0x18, 2})
	b := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), uint64(crc32.Checksum(inner, castagnoli)))
	return protowire.AppendBytes(protowire.AppendTag(b, 2, protowire.BytesType), inner)
}

// A reading is what Read yields.
type reading struct {
	values []pair
	cut    int     // of them
	gaps   int64   // bytes
	flaws  []error // the causes
}

// read reads b, and checks that each value is where it says.
func read(t testing.TB, b []byte) (r reading) {
	t.Helper()
	var tapped []byte
	tap := func(off int64, part []byte) {
		if off != int64(len(tapped)) {
			t.Errorf("tap at %d after %d bytes", off, len(tapped))
		}
		tapped = append(tapped, part...)
	}
	for v, err := range Read(bytes.NewReader(b), int64(len(b)), tap) {
		var format *decode.FormatError
		switch {
		case errors.As(err, &format):
			r.flaws = append(r.flaws, format.Err)
			continue
		case err != nil:
			t.Fatal(err)
		case v.Off < 0 || v.Size < 0 || v.Off+v.Size > int64(len(b)):
			t.Fatalf("%d bytes at %d of %d", v.Size, v.Off, len(b))
		case v.Gap:
			r.gaps += v.Size
			continue
		}
		raw := b[v.Off : v.Off+v.Size]
		if b[v.Off-1] != '"' || v.Complete && (b[v.Off+v.Size] != '"' || !bytes.Equal(Unescape(raw), v.Bytes)) {
			t.Errorf("not what stands at %d", v.Off)
		}
		if !v.Complete {
			r.cut++
		}
		r.values = append(r.values, pair{v.Path, string(v.Bytes)})
	}
	if !bytes.Equal(tapped, b) {
		t.Errorf("%d bytes tapped of %d", len(tapped), len(b))
	}
	return r
}

func (r reading) has(cause error) bool {
	return slices.ContainsFunc(r.flaws, func(err error) bool { return errors.Is(err, cause) })
}

// All values that etcd's own code saves are found: those of nodes, and of events those that were
// replaced or deleted since.
func TestRead(t *testing.T) {
	data, want := store(t)
	b := snapshot(t, data)
	if !IsSnapshot(bytes.NewReader(b), int64(len(b))) {
		t.Error("not told by its first bytes")
	}
	r := read(t, b)
	if len(r.flaws) > 0 || r.cut > 0 || r.gaps > 0 {
		t.Errorf("%d cut, gaps of %d bytes, damage %v", r.cut, r.gaps, r.flaws)
	}
	for _, v := range append(want, pair{"/1/registry/secrets/a/two", secret("two")}, pair{"/1/registry/secrets/a/one", secret("one")}) {
		if !slices.Contains(r.values, v) {
			t.Errorf("no value of %s", v.Path)
		}
	}
	nodes := r.values[:len(want)]
	sort := func(a, b pair) int { return strings.Compare(a.Path, b.Path) }
	slices.SortFunc(nodes, sort)
	slices.SortFunc(want, sort)
	if diff := cmp.Diff(want, nodes); diff != "" {
		t.Errorf("nodes (-want +got):\n%s", diff)
	}
}

// Damage costs what it touches, and is said.
func TestDamage(t *testing.T) {
	data, _ := store(t)
	b := snapshot(t, data)
	whole := len(read(t, b).values)
	value := bytes.Index(b, []byte(`\"kind\"`)) // in the first node with a Secret
	for _, tt := range []struct {
		name   string
		change func([]byte) []byte
		want   error
		values int // at least
	}{
		{"a flipped byte in a value", func(b []byte) []byte { b[value+3] ^= 1; return b }, decode.ErrChecksum, whole},
		{"a quote that is gone", func(b []byte) []byte { b[value-2] = 'x'; return b }, decode.ErrValue, whole - 2},
		{"a zero in a value", func(b []byte) []byte { b[value+30] = 0; return b }, decode.ErrValue, whole},
		{"a sector of zeros", func(b []byte) []byte { clear(b[512:1024]); return b }, decode.ErrValue, whole - 4},
		{"no head", func(b []byte) []byte { clear(b[:14]); return b }, decode.ErrMagic, whole},
		{"cut in a value", func(b []byte) []byte { return b[:value+30] }, decode.ErrTruncated, 2},
		{"cut behind the store", func(b []byte) []byte { return b[:len(b)-3] }, decode.ErrTruncated, whole},
		{"cut to nothing", func(b []byte) []byte { return nil }, decode.ErrTruncated, 0},
		{"bytes behind it", func(b []byte) []byte { return append(b, "more"...) }, decode.ErrBounds, whole},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := read(t, tt.change(bytes.Clone(b)))
			if !r.has(tt.want) || len(r.values) < tt.values {
				t.Errorf("%d values of %d, damage %v, want %v", len(r.values), whole, r.flaws, tt.want)
			}
		})
	}
	if r := read(t, wrap([]byte(`{"Root":{"Path":"/1/a","Value":"x"}`))); !r.has(decode.ErrTruncated) || len(r.values) != 1 {
		t.Errorf("store without its end: %d values, damage %v", len(r.values), r.flaws)
	}
	if r := read(t, wrap([]byte(`{"Root":{}}}}`))); !r.has(decode.ErrValue) {
		t.Errorf("braces too many: damage %v", r.flaws)
	}
}

// What is longer than the limit costs no more memory, and is said.
func TestLimit(t *testing.T) {
	b := wrap([]byte(`{"Root":{"Path":"/1/` + strings.Repeat("p", maxPath) + `","Value":"` + strings.Repeat("v", MaxValue+100) +
		`","Children":{"a":{"Path":"/1/a","Value":"x"}}}}`))
	r := read(t, b)
	if want := []error{decode.ErrLimit, decode.ErrLimit}; !slices.Equal(r.flaws, want) || r.cut != 1 {
		t.Fatalf("damage %v, %d values cut", r.flaws, r.cut)
	}
	if len(r.values[0].Value) != MaxValue || r.values[0].Path != "" || r.values[1] != (pair{"/1/a", "x"}) {
		t.Errorf("%d bytes, then %+v", len(r.values[0].Value), r.values[1])
	}
}

// A value is found whatever is in it, and belongs to the path before it.
func TestValues(t *testing.T) {
	type node struct {
		Path, Value string
		Children    map[string]*node
	}
	rapid.Check(t, func(r *rapid.T) {
		var want []pair
		type item struct {
			Key   string `json:"key"`
			Value string `json:"value,omitempty"`
		}
		type event struct {
			Action string `json:"action"`
			Node   item   `json:"node"`
			Prev   *item  `json:"prevNode,omitempty"`
		}
		top := &node{Path: "/"}
		at := top
		for range rapid.IntRange(0, 5).Draw(r, "nodes") {
			n := &node{Path: rapid.String().Draw(r, "path"), Value: rapid.String().Draw(r, "value")}
			if n.Value != "" {
				want = append(want, pair{n.Path, n.Value})
			}
			at.Children = map[string]*node{rapid.String().Draw(r, "name"): n}
			at = n
		}
		var events []event
		for range rapid.IntRange(0, 3).Draw(r, "events") {
			e := event{"set", item{rapid.String().Draw(r, "key"), rapid.StringN(1, -1, -1).Draw(r, "new")}, nil}
			want = append(want, pair{e.Node.Key, e.Node.Value})
			if rapid.Bool().Draw(r, "replaces") {
				e.Prev = &item{e.Node.Key, rapid.StringN(1, -1, -1).Draw(r, "old")}
				want = append(want, pair{e.Prev.Key, e.Prev.Value})
			}
			events = append(events, e)
		}
		data, err := json.Marshal(struct {
			Root   *node
			Events []event
		}{top, events})
		if err != nil {
			r.Fatal(err)
		}
		got := read(t, wrap(data))
		if diff := cmp.Diff(want, got.values); diff != "" || len(got.flaws) > 0 {
			r.Errorf("damage %v; values (-want +got):\n%s", got.flaws, diff)
		}
	})
}

// Unescape makes of a string what the standard library makes of it.
func TestUnescape(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		part := rapid.SampledFrom([]string{`\"`, `\\`, `\/`, `\b`, `\f`, `\n`, `\r`, `\t`, `\u0000`, `\u00e4`, `\uD83D\uDE00`, `\ud83d`, `\ude00`, "ä", "<", "x"})
		s := strings.Join(rapid.SliceOf(part).Draw(r, "parts"), "")
		var want string
		if err := json.Unmarshal([]byte(`"`+s+`"`), &want); err != nil {
			r.Fatal(err)
		}
		if got := string(Unescape([]byte(s))); got != want {
			r.Errorf("%q is %q, want %q", s, got, want)
		}
	})
	for _, s := range []string{`\`, `\x`, `\u12`, `\u12g4`, `\ud83d\u`} {
		if got := Unescape([]byte(s)); len(got) > len(s) {
			t.Errorf("%q is %q", s, got)
		}
	}
}

func TestPlain(t *testing.T) {
	object := "k8s\x00\n\x0c\n\x02v1\x12\x06Secret\x12\x03abc"
	text := base64.StdEncoding.EncodeToString([]byte(object))
	for in, want := range map[string]string{
		text: object, text + "\n": object, text[:len(text)-5]: object[:len(object)-3],
		object: object, `{"kind":"Secret"}`: `{"kind":"Secret"}`, "azhz": "azhz", "azhzIQ": "azhzIQ", "": "",
		"k8s:enc:aescbc:v1:key1:x": "k8s:enc:aescbc:v1:key1:x",
	} {
		if got := string(Plain([]byte(in))); got != want {
			t.Errorf("%q is %q, want %q", in, got, want)
		}
	}
	if !IsLossy([]byte("k8s\x00\uFFFD")) || IsLossy([]byte("k8s\x00x")) || IsLossy([]byte(`{"a":"`+"\uFFFD"+`"}`)) {
		t.Error("IsLossy")
	}
}

// A file costs its buffers, and each value what it holds, with and without its escapes.
var readBound = alloc.Bound{Fixed: 1 << 20, PerByte: 128}

// Whatever the bytes, values are where they say, and it ends.
func FuzzRead(f *testing.F) {
	data, _ := store(f)
	f.Add(snapshot(f, data[:2000]))
	f.Add(wrap([]byte(`{"Root":{"Path":"/1/a","Value":"\u00e4\\x\"","Children":{"b":{"Path":"/1/a/b","Value":"y"}}}}`)))
	f.Add([]byte(`{"key":"/1/a","value":"x"}}{"Path":"/1/b",,"Value":"z"`))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 1<<20 {
			return
		}
		r := read(t, b)
		if w := wrap(b); bytes.HasPrefix(b, root) {
			inner := read(t, w)
			if json.Valid(b) && len(inner.flaws) > 0 && !inner.has(decode.ErrLimit) {
				t.Errorf("valid JSON, and damage %v", inner.flaws)
			}
		}
		if len(b) > 0 && len(r.flaws) == 0 && !IsSnapshot(bytes.NewReader(b), int64(len(b))) {
			t.Error("no snapshot, and no damage")
		}
		readBound.Check(t, len(b), func() {
			for range Read(bytes.NewReader(b), int64(len(b)), nil) {
			}
		})
	})
}
