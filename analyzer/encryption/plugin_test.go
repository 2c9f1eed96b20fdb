package encryption

//lint:file-ignore SA1019 KMS v1 is deprecated, and what it stored is still there to be read.

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"google.golang.org/grpc"
	kmsv1 "k8s.io/kms/apis/v1beta1"
	kmsv2 "k8s.io/kms/apis/v2"
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

// socket is a new path for a socket. It is short, because there is room for some 100 bytes.
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
