package report

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What a finding says is made of its fields alone: one that is read from JSON says the same.
func TestMessage(t *testing.T) {
	inDB := Location{Path: "snapshot.db", Offset: 0x2000, Length: 300, Page: PageOf(2), ModRevision: 410}
	inLog := Location{Path: "0.wal", Offset: 0x30, Length: 200, WALIndex: 12, Key: "/registry/secrets/a/b"}
	tests := []struct {
		finding Finding
		want    string
	}{
		{Finding{Rule: RulePlaintextLive, At: []Location{inDB}}, "the newest value, of revision 410, 300 bytes at offset 0x2000, is not encrypted"},
		{Finding{Rule: RulePlaintextLive, At: []Location{inDB}, Superseded: true},
			"the newest value in this file, of revision 410, 300 bytes at offset 0x2000, is not encrypted; later evidence has it encrypted or deleted"},
		{Finding{Rule: RulePlaintextLive, At: []Location{inLog}},
			"the newest value, 200 bytes at offset 0x30, WAL index 12, is not encrypted; it is in the WAL alone, the db does not have it yet"},
		{Finding{Rule: RulePlaintextHistory, At: []Location{inDB}, AtMore: 2}, "3 plaintext copies, the newest of revision 410, 300 bytes at offset 0x2000, in an older revision"},
		{Finding{Rule: RulePlaintextFree, At: []Location{inDB}}, "a plaintext copy of revision 410, 300 bytes at offset 0x2000, on a page that is free"},
		{Finding{Rule: RulePlaintextFragment, At: []Location{{Path: "a", Offset: 16, Length: 40}}}, "a plaintext copy 40 bytes at offset 0x10, in bytes that are no record"},
		{Finding{Rule: RulePlaintextWAL, At: []Location{inLog}}, "a plaintext copy 200 bytes at offset 0x30, WAL index 12"},
		{Finding{Rule: RulePlaintextEmbedded, At: []Location{{Path: "a", Offset: 16, Length: 40, ModRevision: 7, Key: "/registry/configmaps/a/b"}}},
			"a plaintext copy of revision 7, 40 bytes at offset 0x10, in the value of /registry/configmaps/a/b"},
		{Finding{Rule: RulePlaintextEmbedded, At: []Location{{Path: "a", Offset: 16, Length: 40}}}, "a plaintext copy 40 bytes at offset 0x10, in the value of an object without a name"},
		{Finding{Rule: RuleSnapshotHash, At: []Location{{Path: "a", Offset: 4096, Length: 32}}},
			"the SHA-256 at the end of the snapshot is not that of the bytes before it: they changed after etcd wrote them, or the file was cut"},
		{Finding{Rule: RuleDamage, At: []Location{{Path: "a", Offset: 16}}, Detail: "page 3, data: cut"}, "something breaks its format or could not be read, at offset 0x10: page 3, data: cut"},
		{Finding{Rule: RuleDamage, At: []Location{{Path: "a", Offset: 16}, {Path: "a", Offset: 32}}, AtMore: 5, Detail: "page 3, data: cut"},
			"something breaks its format or could not be read, in 7 places, the first at offset 0x10: page 3, data: cut"},
		{Finding{Rule: RuleUnattributed, At: []Location{{Path: "a", Offset: 16, Length: 9}, {Path: "a", Offset: 32, Length: 3}}, Detail: "12 bytes"},
			"12 bytes in 2 places, the first at offset 0x10, belong to no known object and are not random enough to be ciphertext"},
		{Finding{Rule: RuleUnknownEnvelope, At: []Location{inDB}, Detail: "provider: not known"}, "the value of revision 410 at offset 0x2000 can not be understood: provider: not known"},
		{Finding{Rule: RuleNonceReuse, At: []Location{inDB, inLog, inDB}, Detail: "nonce under aesgcm:key1"},
			"two different values have the same nonce under aesgcm:key1: this one of revision 410 at offset 0x2000 of snapshot.db, and that of /registry/secrets/a/b of WAL index 12 at offset 0x30 of 0.wal, and 1 more"},
		{Finding{Rule: RuleStaleKey, At: []Location{inDB}, Detail: "aescbc:key1; the entry secrets writes with aescbc:key2"},
			"the newest value, of revision 410, is encrypted with aescbc:key1; the entry secrets writes with aescbc:key2"},
		{Finding{Rule: RuleUnknownKey, At: []Location{inLog}, Detail: "aescbc:key1, which the entry secrets does not have"},
			"the newest value, of WAL index 12, is encrypted with aescbc:key1, which the entry secrets does not have"},
		{Finding{Rule: RuleUndecryptable, At: []Location{inDB}, Detail: "aesgcm:key1, does not open"},
			"the newest value, 300 bytes of revision 410 at offset 0x2000 of snapshot.db, encrypted with aesgcm:key1, does not open"},
		{Finding{Rule: RuleRelocated, At: []Location{inDB}, AtMore: 1, Superseded: true, Detail: "aesgcm:key1, moved"},
			"2 older values, one of them 300 bytes of revision 410 at offset 0x2000 of snapshot.db, encrypted with aesgcm:key1, moved"},
		{Finding{Rule: RuleNotObject, At: []Location{inLog}, Unknown: true, Detail: "x"}, "a value, 200 bytes of WAL index 12 at offset 0x30 of 0.wal, encrypted with x"},
		{Finding{Rule: RuleUndecryptable, At: []Location{inLog}, AtMore: 2, Unknown: true, Detail: "x"}, "3 values, one of them 200 bytes of WAL index 12 at offset 0x30 of 0.wal, encrypted with x"},
		{Finding{Rule: RuleStaleKey, At: []Location{inLog}, Unknown: true, Detail: "x"}, "a value, of WAL index 12 at offset 0x30 of 0.wal, is encrypted with x; nobody knows whether it is the newest"},
		{Finding{Rule: RulePlaintextLive, At: []Location{inLog}, Unknown: true}, "a value in the tree, 200 bytes at offset 0x30, WAL index 12, is not encrypted; nobody knows whether it is the newest"},
		{Finding{Rule: RulePlaintextHistory, At: []Location{inLog}, Unknown: true}, "a plaintext copy 200 bytes at offset 0x30, WAL index 12, in a record of the tree"},
		{Finding{Rule: RuleNotObject, At: []Location{inLog}, Superseded: true, Detail: "x"}, "an older value, 200 bytes of WAL index 12 at offset 0x30 of 0.wal, encrypted with x"},
		{Finding{Rule: RuleIdentityFirst, At: []Location{}, Detail: "the first provider is identity"}, "the first provider is identity"},
		{Finding{Rule: "of-a-later-version", At: []Location{inDB}, Detail: "something"}, "something"},
		{Finding{Rule: RuleNonceReuse, At: []Location{inDB}, Detail: "nonce"}, "nonce"},
	}
	for _, tt := range tests {
		tt.finding.Severity = SeverityHigh
		if got := tt.finding.Message(); got != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.finding.Rule, got, tt.want)
		}
		b, err := json.Marshal(tt.finding)
		if err != nil {
			t.Fatal(err)
		}
		var read struct {
			Finding
			Message string
		}
		if err := json.Unmarshal(b, &read); err != nil || read.Message != tt.want {
			t.Errorf("%s: JSON has the message %q (%v)", tt.finding.Rule, read.Message, err)
		}
		var finding Finding
		if err := json.Unmarshal(b, &finding); err != nil || !cmp.Equal(finding, tt.finding) {
			t.Errorf("%s (%v): %s", tt.finding.Rule, err, cmp.Diff(tt.finding, finding))
		}
	}
}
