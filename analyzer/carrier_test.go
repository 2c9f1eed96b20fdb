package analyzer

import (
	"encoding/binary"
	"strings"
	"testing"

	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/protobuf/proto"

	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/fixtures/forged"
)

// A planted is an element of a leaf or branch page that a test makes.
type planted struct {
	flags      uint32
	key, value string
	child      uint64 // of a branch
}

// pageOf is a page in the byte order of most hosts, as bbolt lays it out. An inline bucket is a
// page without padding.
func pageOf(id uint64, flags uint16, elements []planted) []byte {
	const header = 16
	order := binary.LittleEndian
	b := make([]byte, header+header*len(elements))
	order.PutUint64(b, id)
	order.PutUint16(b[8:], flags)
	order.PutUint16(b[10:], uint16(len(elements)))
	for i, e := range elements {
		at := b[header+header*i:]
		pos := uint32(len(b) - header - header*i)
		if flags == 1 {
			order.PutUint32(at, pos)
			order.PutUint32(at[4:], uint32(len(e.key)))
			order.PutUint64(at[8:], e.child)
		} else {
			order.PutUint32(at, e.flags)
			order.PutUint32(at[4:], pos)
			order.PutUint32(at[8:], uint32(len(e.key)))
			order.PutUint32(at[12:], uint32(len(e.value)))
		}
		b = append(append(b, e.key...), e.value...)
	}
	return b
}

// TestCarriers puts a text where something may claim it: on a page that the tree does not reach,
// in each part of it that has a form. No report may leave it out.
func TestCarriers(t *testing.T) {
	const branch, leaf, freelist = 1, 2, 16
	canary := "CANARY-" + letters("canary", 30)
	spaced := "CANARY " + letters("canary", 30)
	kv := func(key string) string {
		b, err := proto.Marshal(&mvccpb.KeyValue{Key: []byte(key), Value: []byte("{}"), CreateRevision: 3, ModRevision: 3, Version: 1})
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	inline := func(name, head string, elements ...planted) []planted {
		return []planted{{flags: 1, key: name, value: head + string(pageOf(0, leaf, elements))}}
	}
	noRoot := strings.Repeat("\x00", 16)
	rev := string(forged.Revision(3))
	tests := []struct {
		name, text string
		page       func(id uint64) []byte
	}{
		{"value under a name", canary, func(id uint64) []byte { return pageOf(id, leaf, []planted{{key: "some-name", value: canary}}) }},
		{"value under a name of etcd's", canary, func(id uint64) []byte {
			return pageOf(id, leaf, []planted{{key: "clusterVersion", value: canary}, {key: "confState", value: `{"voters":[1],"x":"` + canary + `"}`}})
		}},
		{"value under 8 bytes", canary, func(id uint64) []byte {
			return pageOf(id, leaf, []planted{{key: "\x00\x00\x00\x00\x00\x00\x00\x09", value: canary}})
		}},
		{"name without a value", canary, func(id uint64) []byte { return pageOf(id, leaf, []planted{{key: canary}}) }},
		{"name without a value, beside a record", canary, func(id uint64) []byte {
			return pageOf(id, leaf, []planted{{key: rev, value: kv("/registry/pods/default/p")}, {key: canary}})
		}},
		{"key of a record", spaced, func(id uint64) []byte { return pageOf(id, leaf, []planted{{key: rev, value: kv(spaced)}}) }},
		{"key of a deletion", spaced, func(id uint64) []byte {
			return pageOf(id, leaf, []planted{{key: rev + "t", value: "\x0a" + string(rune(len(spaced))) + spaced}})
		}},
		{"name of a bucket", canary, func(id uint64) []byte {
			return pageOf(id, leaf, []planted{{flags: 1, key: canary, value: "\x03" + strings.Repeat("\x00", 15)}})
		}},
		{"behind a bucket", canary, func(id uint64) []byte {
			return pageOf(id, leaf, []planted{{flags: 1, key: "meta", value: "\x03" + strings.Repeat("\x00", 15) + canary}})
		}},
		{"name of an inline bucket", canary, func(id uint64) []byte { return pageOf(id, leaf, inline(canary, noRoot)) }},
		{"head of an inline bucket", canary[:16], func(id uint64) []byte {
			b := string(pageOf(binary.LittleEndian.Uint64([]byte(canary[8:])), leaf, nil))
			return pageOf(id, leaf, []planted{{flags: 1, key: "meta", value: noRoot[:8] + canary[:8] + b}})
		}},
		{"in an inline bucket", canary, func(id uint64) []byte {
			return pageOf(id, leaf, inline("meta", noRoot, planted{key: "term", value: canary}))
		}},
		{"key of a branch", canary, func(id uint64) []byte { return pageOf(id, branch, []planted{{key: canary, child: 3}}) }},
		{"behind a branch", canary, func(id uint64) []byte { return append(pageOf(id, branch, []planted{{key: rev, child: 3}}), canary...) }},
		{"pages of a freelist", canary[:32], func(id uint64) []byte {
			b := append(pageOf(id, freelist, nil), canary[:32]...)
			b[10] = 4
			return b
		}},
		{"behind a freelist", canary, func(id uint64) []byte { return append(pageOf(id, freelist, nil), canary...) }},
		{"elements that are not there", canary, func(id uint64) []byte {
			b := append(pageOf(id, leaf, nil), canary...)
			b[10], b[11] = 0xFF, 0xFF
			return b
		}},
		{"page of another kind", canary, func(id uint64) []byte { return append(pageOf(id, 4, nil), canary...) }},
		{"object of a Secret that has no name", canary, func(id uint64) []byte {
			return pageOf(id, leaf, []planted{{key: "x", value: `{"apiVersion":"v1","kind":"Secret","metadata":{},"stringData":{"a":"` + canary + `"}}`}})
		}},
	}
	db := forged.DB{Records: []forged.Record{{Rev: 5, Key: "/registry/pods/default/p", Value: []byte("{}")}, {Rev: 6, Key: forged.SecretKey(1), Value: forged.Sealed("aesgcm:v1:key1", "s")}},
		Index: 10, Member: 7}.Bytes(t)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := test.page(uint64(len(db) / 4096))
			file := append(append([]byte{}, db...), p...)
			file = append(file, make([]byte, 4096-len(p))...)
			r, _ := run(t, Options{FailOn: report.SeverityHigh}, inMemory(file))
			if !r.Verdict.Complete {
				t.Fatalf("damage: %v", r.Coverage.Damage)
			}
			if !strings.Contains(string(file), test.text) {
				t.Fatal("the text is not in the file")
			}
			if at := hidden(r, file, test.text); len(at) > 0 {
				t.Errorf("nothing tells of the text at %d", at)
			}
		})
	}
}
