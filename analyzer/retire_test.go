package analyzer

import (
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/etcdsift/etcdsift/analyzer/encryption"
	"github.com/etcdsift/etcdsift/analyzer/evidence"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/fixtures/forged"
)

const (
	oldKey = "aescbc:v1:key1"
	newKey = "aescbc:v1:key2"
)

// keyless is a configuration that has key1, and opens nothing.
func keyless(t *testing.T) *encryption.Config {
	t.Helper()
	config, err := encryption.Parse([]byte(`kind: EncryptionConfiguration
apiVersion: apiserver.config.k8s.io/v1
resources:
- resources: [secrets]
  providers:
  - aescbc: {keys: [{name: key2, secret: MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=}, {name: key1, secret: YWJjZGVmZ2hpamtsbW5vcGFiY2RlZmdoaWprbG1ub3A=}]}
`))
	if err != nil {
		t.Fatal(err)
	}
	return config
}

// retire asks whether aescbc:key1, which the configuration has, may be dropped.
func retire(t *testing.T, sources ...evidence.Source) *allAnswers {
	t.Helper()
	r, _ := run(t, Options{Keys: true, Retire: []string{"aescbc:key1"}, Encryption: keyless(t)}, sources...)
	return r
}

// put is an entry of a WAL that puts a Secret.
func put(index, name, how string) [3]string {
	return [3]string{index, name, string(forged.Sealed(how, index))}
}

// A key is safe to drop only where each newest value was seen, and none needs it, whatever
// becomes of entries that are not known to be committed.
func TestRetire(t *testing.T) {
	dbOf := func(how string) evidence.Source {
		return inMemory(forged.DB{Records: []forged.Record{{Rev: 5, Key: forged.SecretKey(1), Value: forged.Sealed(how, "db")}}, Index: 10, Member: 7}.Bytes(t))
	}
	tests := []struct {
		name       string
		sources    []evidence.Source
		safe       bool
		complete   bool
		stragglers []report.Text
	}{
		{"the db alone", []evidence.Source{dbOf(newKey)}, true, true, nil},
		{"a WAL that goes on where the db ends", withLog(dbOf(newKey), laterLog(t, 12,
			put("11", "s-2", oldKey), put("12", "s-2", newKey), put("13", "s-3", newKey))), true, true, nil},
		{"a WAL that starts later", withLog(dbOf(newKey), laterLog(t, 15,
			put("15", "s-2", newKey), put("16", "s-3", newKey))), false, false, nil},
		{"a WAL that starts with what the db has", withLog(dbOf(newKey), laterLog(t, 11,
			put("9", "s-1", oldKey), put("10", "s-1", newKey), put("11", "s-2", newKey), put("12", "s-2", newKey))), true, true, nil},
		{"a WAL alone", []evidence.Source{laterLog(t, 1001, put("1000", "s-1", newKey), put("1001", "s-2", newKey))}, false, false, nil},
		{"a put that is not committed", withLog(dbOf(oldKey), laterLog(t, 10, put("11", "s-1", newKey))),
			false, true, []report.Text{report.Text(forged.SecretKey(1))}},
		{"a deletion that is not committed", withLog(dbOf(oldKey), laterLog(t, 10, [3]string{"11", "s-1", ""})),
			false, true, []report.Text{report.Text(forged.SecretKey(1))}},
		{"two puts that are not committed", withLog(dbOf(oldKey), laterLog(t, 10, put("11", "s-1", newKey), put("12", "s-1", newKey))),
			false, true, []report.Text{report.Text(forged.SecretKey(1))}},
		{"a put of the key between two that are not committed", withLog(dbOf(newKey), laterLog(t, 10, put("11", "s-1", oldKey), put("12", "s-1", newKey))),
			false, true, []report.Text{report.Text(forged.SecretKey(1))}},
		{"a put of the key before a deletion, neither committed", withLog(dbOf(newKey), laterLog(t, 10, put("11", "s-1", oldKey), [3]string{"12", "s-1", ""})),
			false, true, []report.Text{report.Text(forged.SecretKey(1))}},
		{"a db that does not say what it has applied", withLog(
			inMemory(forged.DB{Records: []forged.Record{{Rev: 5, Key: forged.SecretKey(1), Value: forged.Sealed(newKey, "db")}}, Member: 7}.Bytes(t)),
			laterLog(t, 1001, put("1000", "s-2", newKey), put("1001", "s-3", newKey))), false, false, nil},
		{"a committed put", withLog(dbOf(oldKey), laterLog(t, 11, put("11", "s-1", newKey), put("12", "s-2", newKey))), true, true, nil},
		{"a committed put, and one that is not", withLog(dbOf(newKey), laterLog(t, 11, put("11", "s-1", oldKey), put("12", "s-1", newKey))),
			false, true, []report.Text{report.Text(forged.SecretKey(1))}},
		{"a put with the key that is not committed", withLog(dbOf(newKey), laterLog(t, 10, put("11", "s-1", oldKey))),
			false, true, []report.Text{report.Text(forged.SecretKey(1))}},
		{"a committed deletion", withLog(dbOf(oldKey), laterLog(t, 11, [3]string{"11", "s-1", ""}, put("12", "s-2", newKey))), true, true, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := retire(t, test.sources...)
			if len(r.Coverage.Damage) > 0 {
				t.Fatalf("damage %+v", r.Coverage.Damage)
			}
			if r.Retire[0].Safe != test.safe || r.Retire[0].Complete != test.complete || (r.Verdict.ExitStatus == report.ExitClean) != test.safe {
				t.Errorf("safe %v, complete %v, exit status %d", r.Retire[0].Safe, r.Retire[0].Complete, r.Verdict.ExitStatus)
			}
			if diff := gocmp.Diff(append([]report.Text{}, test.stragglers...), r.Retire[0].Stragglers); diff != "" {
				t.Errorf("stragglers (-want +got):\n%s", diff)
			}
		})
	}
}

// What a defragmentation that was cut short left beside the db is older than it, and is no
// state of the cluster: the newest values are those of the db alone.
func TestLeftoverBesideDB(t *testing.T) {
	const n = 10
	var before, now []forged.Record
	for i := range n {
		before = append(before, forged.Record{Rev: int64(5 + i), Key: forged.SecretKey(i), Value: forged.Sealed(oldKey, forged.SecretKey(i))})
		now = append(now, forged.Record{Rev: int64(105 + i), Create: int64(5 + i), Version: 2, Key: forged.SecretKey(i), Value: forged.Sealed(newKey, forged.SecretKey(i))})
	}
	db, left := inMemory(forged.DB{Records: now, Index: 10, Member: 7}.Bytes(t)), inMemory(forged.DB{Records: before}.Bytes(t))
	db.Path, db.Kind, db.Member = "member/snap/db", report.KindDB, "member"
	left.Path, left.Kind, left.What = "member/snap/db.tmp.123", report.KindDB, "unfinished defragmentation"
	for _, sources := range [][]evidence.Source{{db, left}, {left, db}} {
		r := retire(t, sources...)
		if !r.Retire[0].Safe || len(r.Retire[0].Stragglers) > 0 {
			t.Errorf("%+v", r.Retire[0])
		}
		newest := map[report.Text]int{}
		for _, k := range r.Keys {
			newest[k.KeyName] = k.Newest
		}
		if diff := gocmp.Diff(map[report.Text]int{"key1": 0, "key2": n}, newest); diff != "" {
			t.Errorf("newest values (-want +got):\n%s", diff)
		}
		want := []report.ResourceCount{{Cluster: 1, Resource: "secrets", Keys: n, Providers: map[report.Provider]int{"aescbc": n}}}
		if diff := gocmp.Diff(want, r.Inventory); diff != "" {
			t.Errorf("inventory (-want +got):\n%s", diff)
		}
		if !slices.Equal(r.Scope, []report.ScopeCount{{Resource: "secrets", Keys: n, Counts: report.Counts{Encrypted: n}}}) {
			t.Errorf("scope %+v", r.Scope)
		}
	}
}
