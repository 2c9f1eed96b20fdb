package encryption

// What the tests of this package share: the API server's own reader of an
// EncryptionConfiguration, which is their second witness, and secrets that no error may
// show.

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apiserver/pkg/features"
	"k8s.io/apiserver/pkg/server/options/encryptionconfig"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	"k8s.io/klog/v2"
	"k8s.io/kms/pkg/service"
)

// TestMain sets what the API server's code has once for the whole process: its log, and
// the feature gate of KMS v1, which is off by default since Kubernetes 1.29.
func TestMain(m *testing.M) {
	klog.SetLogger(logr.Discard())
	if err := utilfeature.DefaultMutableFeatureGate.Set(string(features.KMSv1) + "=true"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// Secrets of every size. The bytes are text, so that they can be looked for in an error
// however it would print them.
var (
	raw16, raw24, raw32 = "Zk3!vWq8#Lp0^Rt5", "Hy7$Nb2@Xc9&Md4*Fg6%Js1~", "Qe5+Uo8=Ia3<Tw0>Yx7?Cv2;Bz6|Kr9_"
	otherRaw32          = "Dj4(Vl1)Sk8[Gw3]Pn6{Eh9}Uf2:Om7,"
	secret16, secret24  = encode(raw16), encode(raw24)
	secret32, other32   = encode(raw32), encode(otherRaw32)
)

func encode(raw string) string { return base64.StdEncoding.EncodeToString([]byte(raw)) }

const (
	head     = "kind: EncryptionConfiguration\napiVersion: apiserver.config.k8s.io/v1\n"
	toSecret = head + "resources:\n- resources: [secrets]\n  providers:\n" // the sixth line is the next
	toKeys   = toSecret + "  - aescbc:\n      keys:\n"                     // the eighth line is the next
	toKMS    = toSecret + "  - kms:\n"                                     // the seventh line is the next
)

func parse(t testing.TB, file string) *Config {
	t.Helper()
	c, err := Parse([]byte(file))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// checkHidden checks that the error holds no eight bytes of any secret.
func checkHidden(t testing.TB, err error) {
	t.Helper()
	if err == nil {
		return
	}
	text := err.Error()
	for _, secret := range []string{raw16, raw24, raw32, otherRaw32, secret16, secret24, secret32, other32} {
		for i := range len(secret) - 7 {
			if strings.Contains(text, secret[i:i+8]) {
				t.Errorf("error %q holds %q of a secret", text, secret[i:i+8])
				break
			}
		}
	}
}

// silentKMS is a KMS v2 plugin that an API server can not reach, and knows it at once.
type silentKMS struct{}

var errSilent = errors.New("no answer")

func (silentKMS) Status(context.Context) (*service.StatusResponse, error) { return nil, errSilent }

func (silentKMS) Encrypt(context.Context, string, []byte) (*service.EncryptResponse, error) {
	return nil, errSilent
}

func (silentKMS) Decrypt(context.Context, string, *service.DecryptRequest) ([]byte, error) {
	return nil, errSilent
}

// load has the API server load the file. Its plugins are not waited for.
func load(t testing.TB, file []byte) (encryptionconfig.StaticTransformers, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "encryption.yaml")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	dial := encryptionconfig.EnvelopeKMSv2ServiceFactory
	defer func() { encryptionconfig.EnvelopeKMSv2ServiceFactory = dial }()
	encryptionconfig.EnvelopeKMSv2ServiceFactory = func(ctx context.Context, endpoint, name string, timeout time.Duration) (service.Service, error) {
		_, err := dial(ctx, endpoint, name, timeout)
		return silentKMS{}, err
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	loaded, err := encryptionconfig.LoadEncryptionConfig(ctx, path, false, "test")
	if err != nil {
		return nil, err
	}
	return loaded.Transformers, nil
}

// checkAccepted checks that the API server accepts a file if and only if Parse does.
func checkAccepted(t testing.TB, file []byte, err error) {
	t.Helper()
	if _, want := load(t, file); (want == nil) != (err == nil) {
		t.Errorf("Parse says: %v\nthe API server: %v", err, want)
	}
}

// describe writes a Config a line an entry: its line, what it is for, and its keys, with
// the size of each, or the socket, timeout and cache of its plugin.
func describe(c *Config) []string {
	var out []string
	for _, e := range c.Entries() {
		line := fmt.Sprintf("%d %s:", e.Line, e)
		for _, k := range e.Keys {
			line += " " + k.Provider.String()
			switch {
			case k.plugin != nil:
				line += fmt.Sprintf(" %s %s %s %d", k.Name, k.plugin.endpoint, k.plugin.timeout, k.plugin.cache)
			case k.secret != "":
				line += fmt.Sprintf(" %s %d", k.Name, len(k.secret))
			}
			line += ","
		}
		out = append(out, strings.TrimSuffix(line, ","))
	}
	return out
}
