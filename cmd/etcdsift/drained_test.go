package main

import (
	"context"
	"errors"
	"fmt"

	clientv3 "go.etcd.io/etcd/client/v3"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/etcdsift/etcdsift/fixtures"
)

// drainedSecrets is how many Secrets a drained data dir has.
const drainedSecrets = 4

// buildDrained makes the data dir of an etcd whose Secrets were all written with
// aescbc:old and then with aescbc:new, as is asked for before a key is dropped. What is
// left of the old key lies in history, in residue, which a compaction makes of it, or in
// the WAL alone, after a defragmentation.
func buildDrained(ctx context.Context, dir, where string) (err error) {
	etcd, err := startEtcd(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, etcd.stop()) }()
	revision := int64(0)
	for _, name := range []string{"old", "new"} {
		if revision, err = writeSecrets(ctx, etcd.Client, name); err != nil {
			return err
		}
	}
	switch where {
	case "history":
		return nil
	case "residue", "wal":
		if _, err := etcd.Compact(ctx, revision, clientv3.WithCompactPhysical()); err != nil {
			return err
		}
	default:
		return fmt.Errorf("%q: must be history, residue or wal", where)
	}
	if where == "residue" {
		return nil
	}
	_, err = etcd.Defragment(ctx, etcd.endpoint)
	return err
}

// writeSecrets writes all Secrets as an API server does whose first key is aescbc:NAME,
// and returns the last revision.
func writeSecrets(ctx context.Context, client *clientv3.Client, name string) (revision int64, err error) {
	config, err := fixtures.Configuration(fixtures.Group{Resources: []string{"secrets"},
		Keys: []fixtures.Key{{Provider: "aescbc", Name: name}}})
	if err != nil {
		return 0, err
	}
	providers, err := fixtures.OpenProviders(ctx, config, "")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, providers.Close()) }()
	for i := range drainedSecrets {
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "payments", Name: fmt.Sprintf("s-%d", i)}}
		plain, err := fixtures.Encode(secret, fixtures.Protobuf)
		if err != nil {
			return 0, err
		}
		key := "/registry/secrets/payments/" + secret.Name
		sealed, err := providers.Seal(ctx, schema.GroupResource{Resource: "secrets"}, key, plain)
		if err != nil {
			return 0, err
		}
		r, err := client.Put(ctx, key, string(sealed))
		if err != nil {
			return 0, err
		}
		revision = r.Header.Revision
	}
	return revision, nil
}
