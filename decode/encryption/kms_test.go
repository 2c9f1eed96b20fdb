package encryption

//lint:file-ignore SA1019 KMS v1 is deprecated, and what it stored is still there to be read.

import (
	"bytes"
	"context"
	"crypto/aes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/server/options/encryptionconfig"
	"k8s.io/apiserver/pkg/storage/value"
	aestransformer "k8s.io/apiserver/pkg/storage/value/encrypt/aes"
	kmsv1 "k8s.io/kms/apis/v1beta1"
	kmsv2 "k8s.io/kms/apis/v2"

	"github.com/etcdsift/etcdsift/decode/envelope"
	"github.com/etcdsift/etcdsift/decode/object"
	"github.com/etcdsift/etcdsift/fixtures"
)

// A pluginV2 is a KMS v2 plugin whose answers a test chooses. It wraps a key by turning
// over its bits behind the key ID, and unwraps what it has wrapped under any key ID.
type pluginV2 struct {
	kmsv2.UnimplementedKeyManagementServiceServer
	health, keyID string
	statusErr     error
	decryptErr    error
}

func (p *pluginV2) Status(context.Context, *kmsv2.StatusRequest) (*kmsv2.StatusResponse, error) {
	return &kmsv2.StatusResponse{Version: "v2", Healthz: p.health, KeyId: p.keyID}, p.statusErr
}

func (p *pluginV2) Encrypt(_ context.Context, r *kmsv2.EncryptRequest) (*kmsv2.EncryptResponse, error) {
	return &kmsv2.EncryptResponse{Ciphertext: wrap(p.keyID, r.Plaintext), KeyId: p.keyID}, nil
}

func (p *pluginV2) Decrypt(_ context.Context, r *kmsv2.DecryptRequest) (*kmsv2.DecryptResponse, error) {
	if p.decryptErr != nil {
		return nil, p.decryptErr
	}
	plain, err := unwrap(r.KeyId, r.Ciphertext)
	return &kmsv2.DecryptResponse{Plaintext: plain}, err
}

// A pluginV1 is the same of KMS v1, which has no key IDs.
type pluginV1 struct {
	kmsv1.UnimplementedKeyManagementServiceServer
	encryptErr, decryptErr error
}

func (p *pluginV1) Version(context.Context, *kmsv1.VersionRequest) (*kmsv1.VersionResponse, error) {
	return &kmsv1.VersionResponse{Version: "v1beta1", RuntimeName: "test", RuntimeVersion: "1"}, nil
}

func (p *pluginV1) Encrypt(_ context.Context, r *kmsv1.EncryptRequest) (*kmsv1.EncryptResponse, error) {
	return &kmsv1.EncryptResponse{Cipher: wrap("v1", r.Plain)}, p.encryptErr
}

func (p *pluginV1) Decrypt(_ context.Context, r *kmsv1.DecryptRequest) (*kmsv1.DecryptResponse, error) {
	if p.decryptErr != nil {
		return nil, p.decryptErr
	}
	plain, err := unwrap("v1", r.Cipher)
	return &kmsv1.DecryptResponse{Plain: plain}, err
}

func wrap(keyID string, plain []byte) []byte {
	out := []byte(keyID + ":")
	for _, b := range plain {
		out = append(out, ^b)
	}
	return append(out, out...) // twice, so that a change is found out
}

func unwrap(keyID string, sealed []byte) ([]byte, error) {
	half := sealed[:len(sealed)/2]
	body, ok := bytes.CutPrefix(half, []byte(keyID+":"))
	if !ok || !bytes.Equal(half, sealed[len(sealed)/2:]) {
		return nil, errors.New("not wrapped by this plugin")
	}
	out := make([]byte, len(body))
	for i := range body {
		out[i] = ^body[i]
	}
	return out, nil
}

// socket is a new path for a socket. It is short, as there is room for some 100 bytes.
func socket(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "k")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Join(dir, "s")
}

// serve starts a plugin of either version, and returns its socket and what stops it.
func serve(t testing.TB, p any) (path string, stop func()) {
	t.Helper()
	path = socket(t)
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer()
	switch p := p.(type) {
	case *pluginV1:
		kmsv1.RegisterKeyManagementServiceServer(s, p)
	case *pluginV2:
		kmsv2.RegisterKeyManagementServiceServer(s, p)
	}
	var wg sync.WaitGroup
	wg.Go(func() { _ = s.Serve(l) })
	stop = sync.OnceFunc(func() { s.Stop(); wg.Wait() })
	t.Cleanup(stop)
	return path, stop
}

func newV2() *pluginV2 { return &pluginV2{health: "ok", keyID: "kek-1"} }

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
	wrapped := wrap("v1", []byte(raw32))
	out := binary.BigEndian.AppendUint16([]byte("k8s:enc:kms:v1:vault:"), uint16(len(wrapped)))
	return slices.Concat(out, wrapped, ciphertext)
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
				k := only(t, c.For(object.GroupResource{Group: v.Resource.Group, Resource: v.Resource.Resource}).Match(stored))
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

// checkKMSError checks that the error names the provider and its endpoint.
func checkKMSError(t *testing.T, err error, path string) {
	t.Helper()
	var kms *KMSError
	if !errors.As(err, &kms) || kms.Name != "vault" || kms.Endpoint != "unix://"+path || kms.Err == nil {
		t.Fatalf("%v is no *KMSError of vault at unix://%s", err, path)
	}
	for _, want := range []string{`"vault"`, "unix://" + path} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q, want %s in it", err, want)
		}
	}
	if strings.Count(err.Error(), path) > 1 {
		t.Errorf("error %q says a thing twice", err)
	}
	checkHidden(t, err)
}

func TestOpenKMSDead(t *testing.T) {
	unserved := func(t *testing.T) string { // the file is there, but nobody listens
		path := socket(t)
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
		if err != nil {
			t.Fatal(err)
		}
		l.SetUnlinkOnClose(false)
		l.Close()
		return path
	}
	mute := func(t *testing.T) string { // it accepts, and says nothing
		path := socket(t)
		l, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		return path
	}
	file := func(t *testing.T) string {
		path := socket(t)
		if err := os.WriteFile(path, []byte(secret32), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	rude := func(t *testing.T) string { // it says something else than gRPC
		path := socket(t)
		l, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		go func() {
			for conn, err := l.Accept(); err == nil; conn, err = l.Accept() {
				fmt.Fprintf(conn, "HTTP/1.1 400 %s\r\n\r\n", secret32)
				conn.Close()
			}
		}()
		return path
	}
	for _, version := range []string{"v1", "v2"} {
		for name, make := range map[string]func(*testing.T) string{"absent": func(t *testing.T) string { return socket(t) },
			"unserved": unserved, "mute": mute, "no socket": file, "rude": rude} {
			t.Run(version+" "+name, func(t *testing.T) {
				path := make(t)
				c := parse(t, kmsFile(version, path, 200*time.Millisecond))
				start := time.Now()
				err := c.OpenKMS(t.Context())
				checkKMSError(t, err, path)
				if took := time.Since(start); took > 5*time.Second {
					t.Errorf("it took %v", took)
				}
				if want := "does not answer"; (name == "mute" || name == "rude") && !strings.Contains(err.Error(), want) {
					t.Errorf("error %q, want %q in it", err, want)
				}
				if _, open := c.KMS(); open {
					t.Error("it counts as open")
				}
				sealed := []byte("k8s:enc:kms:" + version + ":vault:\x00\x01xyz")
				if _, err := only(t, c.Match(sealed)).Open(t.Context(), sealed, []byte(etcdKey)); err != ErrNoKMS {
					t.Errorf("Open: %v, want %v", err, ErrNoKMS)
				}
			})
		}
	}
}

// Every plugin that does not answer is told, and those that do are open.
func TestOpenKMSSome(t *testing.T) {
	path, _ := serve(t, newV2())
	file := kmsFile("v2", path, patient)
	sealed := sealKMS(t, file, "plain")
	nowhere := socket(t)
	c := parse(t, file+fmt.Sprintf("  - kms: {name: a, endpoint: 'unix://%s.1'}\n  - kms: {apiVersion: v2, name: b, endpoint: 'unix://%s.2'}\n", nowhere, nowhere))
	err := c.OpenKMS(t.Context())
	for _, want := range []string{`"a"`, nowhere + ".1", `"b"`, nowhere + ".2"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s in it", err, want)
		}
	}
	if o, err := only(t, c.Match(sealed)).Open(t.Context(), sealed, []byte(etcdKey)); err != nil || string(o.Plain) != "plain" {
		t.Errorf("%+v, %v", o, err)
	}
}

func TestOpenKMSCancelled(t *testing.T) {
	path, _ := serve(t, newV2())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := parse(t, kmsFile("v2", path, patient)).OpenKMS(ctx); err == nil {
		t.Error("OpenKMS with a context that is done")
	}
}

// A plugin that is gone says nothing of a value. What it unwrapped before may still open.
func TestOpenAfterPluginDied(t *testing.T) {
	for version, p := range map[string]any{"v1": &pluginV1{}, "v2": newV2()} {
		t.Run(version, func(t *testing.T) {
			path, stop := serve(t, p)
			sealed := sealKMS(t, kmsFile(version, path, patient), "plain")
			c := openKMS(t, kmsFile(version, path, 300*time.Millisecond))
			stop()
			start := time.Now()
			_, err := only(t, c.Match(sealed)).Open(t.Context(), sealed, []byte(etcdKey))
			checkKMSError(t, err, path)
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("it took %v", took)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			if _, err := only(t, c.Match(sealed)).Open(ctx, sealed, []byte(etcdKey)); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("with less time than the plugin has: %v, want that of ctx", err)
			}
		})
	}
}

// The connections end with the context of OpenKMS. That says nothing of a value either.
func TestOpenAfterContextEnded(t *testing.T) {
	for version, p := range map[string]any{"v1": &pluginV1{}, "v2": newV2()} {
		t.Run(version, func(t *testing.T) {
			path, _ := serve(t, p)
			file := kmsFile(version, path, time.Second)
			sealed := sealKMS(t, file, "plain")
			c := parse(t, file)
			ctx, cancel := context.WithCancel(t.Context())
			if err := c.OpenKMS(ctx); err != nil {
				t.Fatal(err)
			}
			cancel()
			time.Sleep(50 * time.Millisecond) // until another goroutine has closed them
			_, err := only(t, c.Match(sealed)).Open(t.Context(), sealed, []byte(etcdKey))
			if err == nil || errors.Is(err, ErrClosed) {
				t.Errorf("%v, want an error that says that nobody was asked", err)
			}
		})
	}
}

// What a plugin says of its errors is its own affair, and may hold keys.
func TestKMSErrorTexts(t *testing.T) {
	said := errors.New("no: " + raw32 + " " + secret32)
	coded := status.Error(codes.PermissionDenied, said.Error())
	for _, said := range []error{said, coded} {
		t.Run(status.Code(said).String(), func(t *testing.T) {
			for version, p := range map[string]any{"v1": &pluginV1{encryptErr: said}, "v2": &pluginV2{health: "ok", keyID: "k", statusErr: said}} {
				path, _ := serve(t, p)
				checkKMSError(t, parse(t, kmsFile(version, path, patient)).OpenKMS(t.Context()), path)
			}
			v1, v2 := &pluginV1{}, newV2()
			for version, p := range map[string]any{"v1": v1, "v2": v2} {
				path, _ := serve(t, p)
				file := kmsFile(version, path, patient)
				sealed := sealKMS(t, file, "plain")
				c := openKMS(t, file)
				v1.decryptErr, v2.decryptErr = said, said
				o, err := only(t, c.Match(sealed)).Open(t.Context(), sealed, []byte(etcdKey))
				v1.decryptErr, v2.decryptErr = nil, nil
				if err == nil || o.Plain != nil {
					t.Errorf("%s: %+v, %v", version, o, err)
				}
				checkHidden(t, err)
			}
		})
	}
}

// A plugin whose status is none.
func TestOpenKMSOddStatus(t *testing.T) {
	for name, p := range map[string]any{
		"not healthy":      &pluginV2{health: secret32, keyID: "kek-1"},
		"no key ID":        &pluginV2{health: "ok"},
		"too long a keyID": &pluginV2{health: "ok", keyID: strings.Repeat(secret32, 40)},
		"of KMS v1":        &pluginV1{},
	} {
		t.Run(name, func(t *testing.T) {
			path, _ := serve(t, p)
			c := parse(t, kmsFile("v2", path, patient))
			checkKMSError(t, c.OpenKMS(t.Context()), path)
			if _, open := c.KMS(); open {
				t.Error("it counts as open")
			}
		})
	}
	path, _ := serve(t, newV2())
	checkKMSError(t, parse(t, kmsFile("v1", path, patient)).OpenKMS(t.Context()), path)
}

// A plugin that unwraps a DEK to what is no key.
func TestOpenKMSOddDEK(t *testing.T) {
	path, _ := serve(t, &pluginV1{})
	c := openKMS(t, kmsFile("v1", path, patient))
	for n := range 33 {
		wrapped := wrap("v1", make([]byte, n))
		sealed := binary.BigEndian.AppendUint16([]byte("k8s:enc:kms:v1:vault:"), uint16(len(wrapped)))
		sealed = slices.Concat(sealed, wrapped, make([]byte, 29))
		checkClosed(t, only(t, c.Match(sealed)), sealed, etcdKey, fmt.Sprintf("DEK of %d bytes", n))
	}
}

// The key of a KMS provider is that of its version, and its name goes into the prefix.
func TestKMSKey(t *testing.T) {
	c := parse(t, toSecret+"  - kms: {name: 'a:b', endpoint: 'unix:///x'}\n  - kms: {apiVersion: v2, name: c, endpoint: 'unix:///x'}\n")
	keys := c.Entries()[0].Keys
	if keys[0].Provider != envelope.KMSv1 || keys[0].prefix != "k8s:enc:kms:v1:a:b:" || keys[1].Provider != envelope.KMSv2 || keys[1].prefix != "k8s:enc:kms:v2:c:" {
		t.Errorf("%+v, %+v", keys[0], keys[1])
	}
}
