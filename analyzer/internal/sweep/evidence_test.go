package sweep

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/etcdsift/etcdsift/analyzer/evidence"
	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/decode/envelope"
	"github.com/etcdsift/etcdsift/decode/resource"
	"github.com/etcdsift/etcdsift/fixtures"
	"github.com/etcdsift/etcdsift/fixtures/forged"
)

// newEvidence is an evidence of b before anything was seen of it. The run is about Secrets.
func newEvidence(b []byte) *seen.Evidence {
	return seen.New(sourceOf(b), seen.NewInterest(seen.Want{
		Resources: []resource.GroupResource{seen.Secrets}, Sealed: func(envelope.Envelope, uint64) {},
	}))
}

func sourceOf(b []byte) evidence.Source {
	return evidence.Source{Path: "db", File: bytes.NewReader(b), Size: int64(len(b))}
}

// sweepDB is what the sweep of a db sees.
func sweepDB(t *testing.T, b []byte) *seen.Evidence {
	t.Helper()
	ev := newEvidence(b)
	if err := DB(t.Context(), ev, nil); err != nil {
		t.Fatal(err)
	}
	return ev
}

// secret is the Secret default/s-N as an API server stores it, with a value of its own.
func secret(t *testing.T, n int) []byte {
	t.Helper()
	b, err := fixtures.EncodeSecret("default", fmt.Sprintf("s-%d", n), map[string]string{"password": fmt.Sprintf("hunter-%d", n)}, fixtures.Protobuf)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// keysOf are the entries of the keyspace, such as "s-1 at 5" or "s-2 at 6, deleted".
func keysOf(ev *seen.Evidence) []string {
	lines := []string{}
	for _, e := range ev.Keys.Entries.All() {
		line := fmt.Sprintf("%s at %d", short(e.Key), e.Rev.Main)
		for _, flag := range []struct {
			word  string
			holds bool
		}{{"deleted", e.Deleted}, {"unknown", e.Unknown}, {"broken", e.Broken}} {
			if flag.holds {
				line += ", " + flag.word
			}
		}
		lines = append(lines, line)
	}
	slices.Sort(lines)
	return lines
}

var places = map[seen.Place]string{
	seen.InTree: "tree", seen.OnFreePage: "free page", seen.InPieces: "pieces", seen.InTail: "tail", seen.InWAL: "WAL",
}

// copiesOf are the copies that were kept, such as "s-1 at 5: tree".
func copiesOf(ev *seen.Evidence) []string {
	lines := []string{}
	for _, at := range ev.Copies.All() {
		line := fmt.Sprintf("%s at %d: %s", short(at.Key), at.Rev.Main, places[at.Place])
		if !at.Complete {
			line += ", not complete"
		}
		if at.Void {
			line += ", void"
		}
		lines = append(lines, line)
	}
	slices.Sort(lines)
	return lines
}

func short(key string) string { return strings.TrimPrefix(key, "/registry/secrets/default/") }

// damageOf is what is said of damage.
func damageOf(ev *seen.Evidence) string {
	var all []string
	for _, d := range ev.Damage {
		all = append(all, d.What)
	}
	return strings.Join(all, "\n")
}

// freeDB is a db of six pages whose tree is the Secret s-1 at revision 5, encrypted, on page 3.
// Nothing leads to page 4, which is free, and page 5 is the last.
func freeDB(t *testing.T, free []byte) []byte {
	t.Helper()
	root := forged.Page{ID: 2, Flags: forged.FlagLeaf, Elements: []forged.Element{
		{Flags: forged.ElementBucket, Key: []byte("key"), Value: forged.Bucket(3)},
	}}
	tree := forged.Leaf(t, 3, 0, forged.Record{Rev: 5, Key: forged.SecretKey(1), Value: forged.Sealed("aescbc:v1:key1", "live")})
	b := forged.File(forged.PageSize, 6, root.Bytes(), tree)
	copy(b[4*forged.PageSize:], free)
	return b
}

// sealedValues are the encrypted values that the ledger counts outside of the tree and the WAL,
// by how they were stored.
func sealedValues(ev *seen.Evidence) map[string]int {
	counts := map[string]int{}
	for _, r := range ev.Ledger.Resources(func(string) resource.Identity { return resource.Identity{} }) {
		if r.Storage != 0 && r.Residue > 0 {
			counts[ev.Keys.Storages[r.Storage].Label()] += r.Residue
		}
	}
	return counts
}
