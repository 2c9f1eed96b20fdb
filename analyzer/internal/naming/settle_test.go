package naming

import (
	"testing"

	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/fixtures/forged"
)

const settledKey = "/registry/secrets/payments/db"

// Residue is a reread if the tree has the same write, and only then.
func TestSettle(t *testing.T) {
	value := secret(t, "payments", "db")
	type copied struct {
		key   string
		rev   int64
		place seen.Place
	}
	tests := []struct {
		name string
		tree []copied
		copy copied
		want bool

		sealed bool // the newest value is encrypted
	}{
		{name: "the newest once more", copy: copied{settledKey, 9, seen.OnFreePage}, want: true},
		{name: "other bytes than the newest of that revision", copy: copied{settledKey, 9, seen.OnFreePage}, sealed: true},
		{"an older write that the tree has", []copied{{settledKey, 7, seen.InTree}}, copied{settledKey, 7, seen.OnFreePage}, true, false},
		{"in pieces, too", []copied{{settledKey, 7, seen.InTree}}, copied{settledKey, 7, seen.InPieces}, true, false},
		{"behind the last page, too", []copied{{settledKey, 7, seen.InTree}}, copied{settledKey, 7, seen.InTail}, true, false},
		{"an older write that it has not", []copied{{settledKey, 7, seen.InTree}}, copied{settledKey, 6, seen.OnFreePage}, false, false},
		{"of another key", []copied{{settledKey, 7, seen.InTree}}, copied{settledKey + "-2", 7, seen.OnFreePage}, false, false},
		{"twice outside of the tree", []copied{{settledKey, 7, seen.OnFreePage}}, copied{settledKey, 7, seen.InPieces}, false, false},
		{"no revision is known", []copied{{settledKey, 0, seen.InTree}}, copied{settledKey, 0, seen.OnFreePage}, false, false},
		{"a copy in the tree is none", []copied{{settledKey, 7, seen.InTree}}, copied{settledKey, 7, seen.InTree}, false, false},
	}
	for _, tt := range tests {
		tb := newTable(t)
		newest := value
		if tt.sealed {
			newest = forged.Sealed("aescbc:v1:key1", "x")
		}
		tb.put(settledKey, 9, newest)
		for _, c := range tt.tree {
			tb.copy(c.key, c.rev, c.place, value)
		}
		at := tb.copy(tt.copy.key, tt.copy.rev, tt.copy.place, value)
		Settle(tb.evidence())
		if at.Reread != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, at.Reread, tt.want)
		}
	}
}

// What is newest is not known to be in the tree where it was salvaged or deleted.
func TestSettleUnknown(t *testing.T) {
	for name, change := range map[string]func(*seen.Entry){
		"salvaged": func(e *seen.Entry) { e.Unknown = true },
		"deleted":  func(e *seen.Entry) { e.Deleted = true },
	} {
		tb := newTable(t).put(settledKey, 9, secret(t, "payments", "db"))
		change(tb.ev.Keys.At(1))
		at := tb.copy(settledKey, 9, seen.OnFreePage, secret(t, "payments", "db"))
		if Settle(tb.evidence()); at.Reread {
			t.Errorf("%s: a reread", name)
		}
	}
}

// A copy in the log gets the revision of the record that the entry became, if the db has applied
// the entry and one record has its bytes.
func TestSettleLog(t *testing.T) {
	value, other := secret(t, "payments", "db"), secret(t, "payments", "other")
	for name, tt := range map[string]struct {
		applied bool
		logged  []byte
		want    int64
	}{"applied": {true, value, 7}, "not applied": {false, value, 0}, "other bytes": {true, other, 0}} {
		tb := newTable(t)
		tb.ev.Segments = []*seen.Segment{{}}
		tb.copy(settledKey, 7, seen.InTree, value)
		at := tb.copy(settledKey, 0, seen.InWAL, tt.logged)
		at.Applied = tt.applied
		if Settle(tb.evidence()); at.Rev.Main != tt.want {
			t.Errorf("%s: revision %d, want %d", name, at.Rev.Main, tt.want)
		}
	}
}
