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
	kmsv2 "k8s.io/kms/apis/v2"

	"github.com/etcdsift/etcdsift/analyzer/encryption"
	"github.com/etcdsift/etcdsift/analyzer/evidence"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/fixtures"
	"github.com/etcdsift/etcdsift/fixtures/forged"
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

// refused is a db of n Secrets, each wrapped by one of the data encryption keys.
func refused(t *testing.T, n int, deks ...string) evidence.Source {
	t.Helper()
	f := forged.DB{Index: 10, Member: 7}
	for i := range n {
		f.Records = append(f.Records, forged.Record{Rev: int64(i + 5), Key: forged.SecretKey(i), Value: forged.KMSv2(t, "kek-1", deks[i%len(deks)], forged.Noise(fmt.Sprint(i), 300))})
	}
	return inMemory(f.Bytes(t))
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
