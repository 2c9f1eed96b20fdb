package encryption

import (
	"bytes"
	"context"
	"crypto/aes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/protobuf/proto"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/server/options/encryptionconfig"
	"k8s.io/apiserver/pkg/storage/value"
	aestransformer "k8s.io/apiserver/pkg/storage/value/encrypt/aes"

	"github.com/etcdsift/etcdsift/decode/envelope"
	"github.com/etcdsift/etcdsift/decode/resource"
	"github.com/etcdsift/etcdsift/fixtures"
	"github.com/etcdsift/etcdsift/fixtures/forged"
)

// kmsFile is a configuration with a KMS provider called vault.
func kmsFile(version, path string, timeout time.Duration) string {
	return fmt.Sprintf("%s      apiVersion: %s\n      name: vault\n      endpoint: unix://%s\n      timeout: %v\n", toKMS, version, path, timeout)
}

// sealKMS has the API server, which calls the plugin, store a value.
func sealKMS(t testing.TB, file, plain string) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "encryption.yaml")
	if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	server, err := encryptionconfig.LoadEncryptionConfig(ctx, path, false, "test")
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := encryptionconfig.StaticTransformers(server.Transformers).TransformerForResource(schema.GroupResource{Resource: "secrets"}).
		TransformToStorage(ctx, []byte(plain), value.DefaultContext(etcdKey))
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

// openKMS parses a configuration and opens its plugins.
func openKMS(t testing.TB, file string) *Config {
	t.Helper()
	c := parse(t, file)
	if err := c.OpenKMS(t.Context()); err != nil {
		t.Fatal(err)
	}
	if configured, open := c.KMS(); !configured || !open {
		t.Fatalf("KMS() = %v, %v, want true, true", configured, open)
	}
	return c
}

// patient is a timeout that a plugin keeps on a machine that does much else.
const patient = time.Minute

func TestOpenKMS(t *testing.T) {
	for version, p := range map[string]any{"v1": &pluginV1{}, "v2": newV2()} {
		t.Run(version, func(t *testing.T) {
			path, _ := serve(t, p)
			file := kmsFile(version, path, patient)
			// Behind its nonce and tag this one is no whole number of blocks, which AES-CBC might
			// open by chance.
			sealed := sealKMS(t, file, "plain")
			c := openKMS(t, file)
			k := only(t, c.Match(sealed))
			if id := k.KMSKeyID(); id != map[string]string{"v1": "", "v2": "kek-1"}[version] {
				t.Errorf("key ID %q", id)
			}
			before := bytes.Clone(sealed)
			o, err := k.Open(t.Context(), sealed, []byte(etcdKey))
			if err != nil || string(o.Plain) != "plain" || o.Stale || o.Unsure || !bytes.Equal(sealed, before) {
				t.Fatalf("%+v, %v", o, err)
			}
			checkClosed(t, k, sealed, etcdKey+"2", "another etcd key")
			for n := len(k.prefix); n < len(sealed); n++ {
				checkClosed(t, k, sealed[:n], etcdKey, "cut")
			}
			for bit := len(k.prefix) * 8; bit < len(sealed)*8; bit++ {
				flipped := bytes.Clone(sealed)
				flipped[bit/8] ^= 1 << (bit % 8)
				checkClosed(t, k, flipped, etcdKey, fmt.Sprintf("byte %d flipped", bit/8))
			}
			var wg sync.WaitGroup
			for range 32 {
				wg.Go(func() {
					if o, err := k.Open(t.Context(), sealed, []byte(etcdKey)); err != nil || string(o.Plain) != "plain" {
						t.Errorf("%+v, %v", o, err)
					}
				})
			}
			wg.Wait()
		})
	}
}

// What was written under another key ID is stale, and nothing else is.
func TestOpenKMSStale(t *testing.T) {
	p := newV2()
	path, _ := serve(t, p)
	file := kmsFile("v2", path, patient)
	old := sealKMS(t, file, "old")
	p.keyID = "kek-2"
	current := sealKMS(t, file, "new")
	c := openKMS(t, file)
	for plain, sealed := range map[string][]byte{"old": old, "new": current} {
		k := only(t, c.Match(sealed))
		o, err := k.Open(t.Context(), sealed, []byte(etcdKey))
		if err != nil || string(o.Plain) != plain || o.Stale != (plain == "old") || k.KMSKeyID() != "kek-2" {
			t.Errorf("%s: %+v, %v, key ID %q", plain, o, err, k.KMSKeyID())
		}
	}
}

// legacyV1 is a value as KMS v1 wrote it before Kubernetes 1.25, on AES-CBC.
func legacyV1(t testing.TB, plain string) []byte {
	t.Helper()
	block, err := aes.NewCipher([]byte(raw32))
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := aestransformer.NewCBCTransformer(block).TransformToStorage(t.Context(), []byte(plain), value.DefaultContext(etcdKey))
	if err != nil {
		t.Fatal(err)
	}
	return behindDEK(sealed)
}

// behindDEK puts a ciphertext behind the DEK raw32 in a value of KMS v1.
func behindDEK(ciphertext []byte) []byte {
	return forged.KMSv1(wrap("v1", []byte(raw32)), ciphertext)
}

func TestOpenLegacyKMSv1(t *testing.T) {
	path, _ := serve(t, &pluginV1{})
	c := openKMS(t, kmsFile("v1", path, patient))
	for n := range 33 {
		plain := strings.Repeat("p", n)
		sealed := legacyV1(t, plain)
		o, err := only(t, c.Match(sealed)).Open(t.Context(), sealed, []byte(etcdKey))
		if err != nil || string(o.Plain) != plain || !o.Stale {
			t.Errorf("%d bytes: %+v, %v", n, o, err)
		}
		if want := n%16 == 15; o.Unsure != want {
			t.Errorf("%d bytes: unsure %v, want %v: AES-CBC has no authentication under a DEK either", n, o.Unsure, want)
		}
	}
}

// Noise that AES-CBC opens by chance, behind a DEK that the plugin does unwrap: nothing
// says that the DEK is the one that sealed it.
func TestOpenNoiseUnderKMSv1(t *testing.T) {
	path, _ := serve(t, &pluginV1{})
	c := openKMS(t, kmsFile("v1", path, patient))
	noise := make([]byte, 48)
	for i := range 256 {
		noise[31] = byte(i) // in one of 256, it makes the last byte of the next block a padding of one
		sealed := behindDEK(noise)
		o, err := only(t, c.Match(sealed)).Open(t.Context(), sealed, []byte(etcdKey))
		if err != nil && !errors.Is(err, ErrClosed) {
			t.Fatal(err)
		}
		if len(o.Plain) == 31 {
			if !o.Stale || !o.Unsure {
				t.Errorf("noise opens, stale %v, unsure %v, want both", o.Stale, o.Unsure)
			}
			return
		}
	}
	t.Fatal("no noise opens")
}

// The evidence of fixtures, whose answer says what opens and what is stale.
func TestOpenKMSOfFixtures(t *testing.T) {
	for _, name := range []string{"kms-v1-live", "kms-v2-live", "moved-kms-v1", "moved-kms-v2"} {
		t.Run(name, func(t *testing.T) {
			ev := buildCase(t, name)
			c := openKMS(t, ev.Config)
			values := newest(t, ev.DB)
			opened := 0
			for _, v := range ev.Values {
				if !strings.HasPrefix(v.Provider, "kms-") {
					continue
				}
				stored := values[v.Key]
				k := only(t, c.For(resource.GroupResource{Group: v.Resource.Group, Resource: v.Resource.Resource}).Match(stored))
				o, err := k.Open(t.Context(), stored, []byte(v.Key))
				if (err == nil) != v.Readable || err != nil && !errors.Is(err, ErrClosed) {
					t.Errorf("%s: %v, want readable %v", v.Key, err, v.Readable)
				}
				// A value under the name of another provider is stale to the API server in any
				// case; Stale is about its own plugin.
				if stale := v.KMSStale != "" || v.KMSKeyID != k.KMSKeyID(); err == nil && o.Stale != stale {
					t.Errorf("%s: stale %v, want %v for %q", v.Key, o.Stale, stale, v.KMSStale)
				}
				if want := ev.KMSKeyIDs[v.KeyName]; k.KMSKeyID() != want {
					t.Errorf("%s: key ID %q, want %q", v.Key, k.KMSKeyID(), want)
				}
				if v.RelocatedFrom != "" {
					if _, err := k.Open(t.Context(), stored, []byte(v.RelocatedFrom)); err != nil {
						t.Errorf("%s: under %s: %v", v.Key, v.RelocatedFrom, err)
					}
				}
				opened++
			}
			if opened == 0 {
				t.Error("no value of KMS")
			}
		})
	}
}

func buildCase(t *testing.T, name string) fixtures.EncryptionEvidence {
	t.Helper()
	c, err := fixtures.LookupEncryption(name)
	if err != nil {
		t.Fatal(err)
	}
	ev, err := c.Build(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := ev.Close(); err != nil {
			t.Error(err)
		}
	})
	return ev
}

// newest are the newest values in a db file, by key.
func newest(t *testing.T, file string) map[string][]byte {
	t.Helper()
	db, err := bolt.Open(file, 0o600, &bolt.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	values := map[string][]byte{}
	err = db.View(func(tx *bolt.Tx) error {
		return tx.Bucket([]byte("key")).ForEach(func(_, v []byte) error { // in the order of revisions
			kv := new(mvccpb.KeyValue)
			err := proto.Unmarshal(v, kv)
			values[string(kv.Key)] = kv.Value
			return err
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return values
}

// The key of a KMS provider is that of its version, and its name goes into the prefix.
func TestKMSKey(t *testing.T) {
	c := parse(t, toSecret+"  - kms: {name: 'a:b', endpoint: 'unix:///x'}\n  - kms: {apiVersion: v2, name: c, endpoint: 'unix:///x'}\n")
	keys := c.Entries()[0].Keys
	if keys[0].Provider != envelope.KMSv1 || keys[0].prefix != "k8s:enc:kms:v1:a:b:" || keys[1].Provider != envelope.KMSv2 || keys[1].prefix != "k8s:enc:kms:v2:c:" {
		t.Errorf("%+v, %+v", keys[0], keys[1])
	}
}
