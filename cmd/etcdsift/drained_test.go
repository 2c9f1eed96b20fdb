package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

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
	return writeSecretsAs(ctx, client, config, "", 0, drainedSecrets-1)
}

// writeSecretsAs writes the Secrets of those numbers as an API server does that has the
// configuration, whose KMS plugins have that key ID, and returns the last revision.
func writeSecretsAs(ctx context.Context, client *clientv3.Client, config, kmsKeyID string, first, last int) (revision int64, err error) {
	providers, err := fixtures.OpenProviders(ctx, config, kmsKeyID)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, providers.Close()) }()
	for i := first; i <= last; i++ {
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

// buildWritten makes the data dir of an etcd to which API servers wrote, one after the
// other. Each step is CONFIG=FIRST-LAST: an API server with the EncryptionConfiguration of
// that file, or without one for "none", writes the Secrets payments/s-FIRST to s-LAST;
// CONFIG@ID=FIRST-LAST is one whose KMS plugins have that key ID. other=FIRST-LAST writes
// keys that are not Kubernetes'.
func buildWritten(ctx context.Context, dir string, read func(name string) string, steps ...string) (err error) {
	etcd, err := startEtcd(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, etcd.stop()) }()
	for _, step := range steps {
		who, numbers, _ := strings.Cut(step, "=")
		var first, last int
		if _, err := fmt.Sscanf(numbers, "%d-%d", &first, &last); err != nil {
			return fmt.Errorf("%q: %w", step, err)
		}
		if who == "other" {
			for i := first; i <= last; i++ {
				if _, err := etcd.Put(ctx, fmt.Sprintf("/coreos.com/lock/%d", i), "held"); err != nil {
					return err
				}
			}
			continue
		}
		name, kmsKeyID, _ := strings.Cut(who, "@")
		config, err := fixtures.Configuration(fixtures.Group{Resources: []string{"secrets"}, Keys: []fixtures.Key{{Provider: "identity"}}})
		if err != nil {
			return err
		}
		if name != "none" {
			config = read(name)
		}
		if _, err := writeSecretsAs(ctx, etcd.Client, config, kmsKeyID, first, last); err != nil {
			return err
		}
	}
	return nil
}
