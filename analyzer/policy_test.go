package analyzer

import (
	"errors"
	"strings"
	"testing"

	"go.etcd.io/bbolt"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/protobuf/proto"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/etcdsift/etcdsift/analyzer/encryption"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/fixtures"
	"github.com/etcdsift/etcdsift/fixtures/captured"
)

// What the policy says of every live value of a real cluster, at every stage, is what the
// API server itself says: whether it can read it, and whether it would write it anew.
// Only of KMS values, whose plugins are not here, nobody can say.
func TestPolicyOfCaptured(t *testing.T) {
	stages, err := captured.Stages()
	if err != nil {
		t.Fatal(err)
	}
	for _, stage := range stages {
		b, err := stage.EncryptionConfig()
		if err != nil {
			t.Fatal(err)
		}
		if b == nil || stage.Killed {
			continue
		}
		t.Run(stage.Name, func(t *testing.T) { testPolicy(t, stage, b) })
	}
}

func testPolicy(t *testing.T, stage captured.Stage, b []byte) {
	path := extract(t, stage.Snapshot())
	config, err := encryption.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	// The API server waits for its plugins.
	witness, err := fixtures.OpenWitness(t.Context(), strings.ReplaceAll(string(b), "timeout: 5s", "timeout: 5ms"))
	if err != nil {
		t.Fatal(err)
	}
	defer witness.Close()
	live := liveValues(t, path)
	_, values := run(t, Options{Encryption: config}, open(t, path))
	judged := 0
	for _, v := range values {
		resource, group, _ := strings.Cut(string(v.Resource), ".")
		if v.Resource == "" || strings.HasPrefix(v.Provider.String(), "kms") {
			continue
		}
		reading := witness.Read(t.Context(), schema.GroupResource{Group: group, Resource: resource}, string(v.Key), live[string(v.Key)])
		stale := v.Policy == report.PolicyWrongProvider || v.Policy == report.PolicyStaleKey || v.Policy == report.PolicyNotEncrypted
		readable := v.Proof == report.Proven || v.Provider == "identity"
		if !reading.Readable || !readable || stale != reading.Stale {
			t.Errorf("%s: %s, %s; the API server says readable %v, stale %v (%v)", v.Key, v.Policy, v.Proof, reading.Readable, reading.Stale, reading.Err)
		}
		judged++
	}
	if judged < 50 {
		t.Errorf("%d values were judged: the test looks at too little", judged)
	}
}

// liveValues is the newest value of each key as bbolt reads it.
func liveValues(t *testing.T, path string) map[string][]byte {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	live := map[string][]byte{}
	err = db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte("key")).ForEach(func(revision, value []byte) error {
			var kv mvccpb.KeyValue
			if err := proto.Unmarshal(value, &kv); err != nil {
				return err
			}
			live[string(kv.Key)] = kv.Value // the keys of the bucket are in the order of time
			return nil
		})
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	return live
}
