package main

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	bolt "go.etcd.io/bbolt"

	"github.com/etcdsift/etcdsift/fixtures"
	"github.com/etcdsift/etcdsift/fixtures/forged"
)

// secretOf is the Secret payments/db with a password, as the API server stores it.
func secretOf(t *testing.T, password string) []byte {
	t.Helper()
	b, err := fixtures.EncodeSecret("payments", "db", map[string]string{"password": password}, fixtures.Protobuf)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A record on a free page may be of a write that the db does not have, whatever its
// revision says: what show prints is live in the tree.
func TestShowPassesOverFreeRecord(t *testing.T) {
	const key = "/registry/secrets/payments/db"
	file := filepath.Join(t.TempDir(), "db")
	s := fixtures.OpenStore(file)
	live := s.Put([]byte(key), secretOf(t, "the live one"))
	lost := s.Put([]byte(key), secretOf(t, "one that was never committed"))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := bolt.Open(file, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bolt.Tx) error {
		return tx.Bucket([]byte("key")).Delete(forged.Revision(lost))
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		args   []string
		length int // of the password
		rev    int64
	}{
		{nil, len("the live one"), live},
		{[]string{"--revision", fmt.Sprint(lost)}, len("one that was never committed"), lost},
	} {
		var stdout, stderr bytes.Buffer
		if status := run(t.Context(), append([]string{"show", file, key}, test.args...), &stdout, &stderr); status != 0 {
			t.Fatalf("%v: exit status %d, %s", test.args, status, stderr.String())
		}
		for _, want := range []string{fmt.Sprintf("%d bytes", test.length), fmt.Sprintf("resourceVersion: \"%d\"", test.rev)} {
			if !strings.Contains(stdout.String(), want) {
				t.Errorf("%v: want %s in:\n%s", test.args, want, stdout.String())
			}
		}
	}
}

// The table of keys lists the resources of a key up to a bound, and looks each up once.
func TestKeysOfManyResources(t *testing.T) {
	const n = 20_000
	file := filepath.Join(t.TempDir(), "db")
	s := fixtures.OpenStore(file)
	value := forged.Sealed("secretbox:v1:key1", "the same")
	for i := range n {
		s.Put(fmt.Appendf(nil, "/registry/x.example.com/kind%05ds/default/x", i), value)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	if status := run(t.Context(), []string{"keys", file}, &stdout, &stderr); status != 0 {
		t.Fatalf("exit status %d, %s", status, stderr.String())
	}
	rows := strings.Count(stdout.String(), "\nsecretbox:key1  kind")
	if want := fmt.Sprintf("and %d more resources\n", n-rows); rows == 0 || rows > 1000 || !strings.Contains(stdout.String(), want) {
		t.Errorf("%d rows; want %q in:\n%.2000s", rows, want, stdout.String())
	}
}
