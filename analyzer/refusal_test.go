package analyzer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	kmstypes "k8s.io/apiserver/pkg/storage/value/encrypt/envelope/kmsv2/v2"
	kmsv2 "k8s.io/kms/apis/v2"

	"github.com/etcdsift/etcdsift/analyzer/encryption"
	"github.com/etcdsift/etcdsift/analyzer/evidence"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/fixtures"
)

// A refuser is a KMS v2 plugin that is well, and decrypts nothing.
type refuser struct {
	kmsv2.UnimplementedKeyManagementServiceServer
	code  codes.Code
	calls atomic.Int64 // of Decrypt
}

func (r *refuser) Status(context.Context, *kmsv2.StatusRequest) (*kmsv2.StatusResponse, error) {
	return &kmsv2.StatusResponse{Version: "v2", Healthz: "ok", KeyId: "kek-2"}, nil
}

func (r *refuser) Decrypt(context.Context, *kmsv2.DecryptRequest) (*kmsv2.DecryptResponse, error) {
	r.calls.Add(1)
	return nil, status.Error(r.code, "what a plugin says may be anything")
}

// config serves the plugin as the KMS provider "vault" of Secrets, until the test ends.
func (r *refuser) config(t *testing.T) *encryption.Config {
	t.Helper()
	dir, err := os.MkdirTemp("", "k") // the path of a socket has room for some 100 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket := filepath.Join(dir, "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	kmsv2.RegisterKeyManagementServiceServer(server, r)
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(l) })
	t.Cleanup(func() { server.Stop(); serving.Wait() })
	file, err := fixtures.Configuration(fixtures.Group{Resources: []string{"secrets"},
		Keys: []fixtures.Key{{Provider: "kms-v2", Name: "vault", Endpoint: "unix://" + socket}}})
	if err != nil {
		t.Fatal(err)
	}
	config, err := encryption.Parse([]byte(file))
	if err != nil {
		t.Fatal(err)
	}
	if err := config.OpenKMS(t.Context()); err != nil {
		t.Fatal(err)
	}
	return config
}

// wrapped is a value of the KMS v2 provider "vault" behind a wrapped data encryption key.
func wrapped(t *testing.T, dek, seed string) []byte {
	t.Helper()
	b, err := proto.Marshal(&kmstypes.EncryptedObject{KeyID: "kek-1", EncryptedDEKSource: []byte(dek), EncryptedData: noise(seed, 300)})
	if err != nil {
		t.Fatal(err)
	}
	return append([]byte("k8s:enc:kms:v2:vault:"), b...)
}

// refused is a db of n Secrets, each wrapped by one of the data encryption keys.
func refused(t *testing.T, n int, deks ...string) evidence.Source {
	t.Helper()
	f := forgery{index: 10, member: 7}
	for i := range n {
		f.records = append(f.records, record{rev: int64(i + 5), key: secretKey(i), value: wrapped(t, deks[i%len(deks)], fmt.Sprint(i))})
	}
	return f.source(t)
}

// A plugin that says that it can not decrypt a data encryption key is not asked again, and
// the values of that key are what nobody can read, not what was moved.
func TestPluginRefuses(t *testing.T) {
	const n = 60
	for _, code := range []codes.Code{codes.InvalidArgument, codes.Internal} {
		for _, deks := range [][]string{{"one"}, {"one", "two", "three"}} {
			t.Run(fmt.Sprintf("%v, %d DEKs", code, len(deks)), func(t *testing.T) {
				p := &refuser{code: code}
				r, _ := run(t, Options{Encryption: p.config(t)}, refused(t, n, deks...))
				if got := p.calls.Load(); got != int64(len(deks)) {
					t.Errorf("%d calls for %d data encryption keys", got, len(deks))
				}
				found := of(r, report.RuleUndecryptable)
				if len(found) != n || len(of(r, report.RuleRelocated)) > 0 {
					t.Fatalf("%d values that can not be decrypted, want %d; moved: %+v", len(found), n, of(r, report.RuleRelocated))
				}
				for _, f := range found {
					for _, want := range []string{"kms-v2:vault", "KMS plugin does not decrypt"} {
						if !strings.Contains(f.Message(), want) {
							t.Fatalf("message %q, want %q in it", f.Message(), want)
						}
					}
				}
			})
		}
	}
}

// A plugin that does not answer the question says nothing of any value: the run ends.
func TestPluginIsSilent(t *testing.T) {
	for _, code := range []codes.Code{codes.PermissionDenied, codes.Unavailable} {
		t.Run(code.String(), func(t *testing.T) {
			p := &refuser{code: code}
			_, err := askAll(t.Context(), []evidence.Source{refused(t, 3, "one")}, Options{Encryption: p.config(t)})
			var kms *encryption.KMSError
			if !errors.As(err, &kms) || kms.Name != "vault" {
				t.Errorf("%v, want a *encryption.KMSError of vault", err)
			}
		})
	}
}
