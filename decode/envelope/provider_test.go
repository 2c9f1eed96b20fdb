package envelope

import (
	"bytes"
	"context"
	"crypto/cipher"
	"go/ast"
	"go/parser"
	"go/token"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	nacl "golang.org/x/crypto/nacl/secretbox"
	"google.golang.org/protobuf/proto"
	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/apiserver/pkg/features"
	"k8s.io/apiserver/pkg/storage/value"
	aestransformer "k8s.io/apiserver/pkg/storage/value/encrypt/aes"
	kmsv1 "k8s.io/apiserver/pkg/storage/value/encrypt/envelope"
	"k8s.io/apiserver/pkg/storage/value/encrypt/envelope/kmsv2"
	kmstypes "k8s.io/apiserver/pkg/storage/value/encrypt/envelope/kmsv2/v2"
	"k8s.io/apiserver/pkg/storage/value/encrypt/secretbox"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	"k8s.io/component-base/featuregate"
)

func TestParseProvider(t *testing.T) {
	for p := Identity; p <= KMSv2; p++ {
		if got, ok := ParseProvider(p.String()); got != p || !ok {
			t.Errorf("ParseProvider(%q) = %v, %v", p, got, ok)
		}
	}
	for _, s := range []string{"", "unknown", "AESCBC", "aescbc ", "kms", "kms:v1", "kms-v3", "none"} {
		if got, ok := ParseProvider(s); got != Unknown || ok {
			t.Errorf("ParseProvider(%q) = %v, %v", s, got, ok)
		}
	}
}

// transformers are the API server's own, by provider.
func transformers(t *testing.T) map[Provider]value.Transformer {
	t.Helper()
	newGCM := func(b cipher.Block) (value.Transformer, error) { return aestransformer.NewGCMTransformer(b) }
	return map[Provider]value.Transformer{
		AESCBC:    aestransformer.NewCBCTransformer(block(t)),
		AESGCM:    gcm(t, block(t)),
		Secretbox: secretbox.NewSecretboxTransformer([32]byte{7}),
		KMSv1:     kmsv1.NewEnvelopeTransformer(xorV1{}, 0, newGCM),
		KMSv2:     kmsV2(t, true),
	}
}

// Each property of a provider is what the API server's transformer for it does.
//
// Source: prefixTransformersAndProbes in pkg/server/options/encryptionconfig/config.go has
// the transformer of each provider, and pkg/storage/value/encrypt has their code; k8s.io/apiserver
// v0.37.2.
func TestProvidersOfTheAPIServer(t *testing.T) {
	all := transformers(t)
	if len(all) != len(Encrypting()) {
		t.Errorf("%d transformers for %v", len(all), Encrypting())
	}
	for _, p := range Encrypting() {
		t.Run(p.String(), func(t *testing.T) {
			tr := all[p]
			plain := strings.Repeat("a long value, ", 30)
			value1, value2 := store(t, Prefix(p, "k"), tr, []byte(plain)), store(t, Prefix(p, "k"), tr, []byte(plain))
			e, other := must(Parse(value1, 0)), must(Parse(value2, 0))
			if e.Provider != p || string(e.KeyName) != "k" || !bytes.HasPrefix(value1, []byte(enc+p.scheme().prefix)) {
				t.Fatalf("%+v", e)
			}
			if _, err := open(tr, e.Payload, etcdKey); err != nil {
				t.Fatal(err)
			}

			// The path is the authenticated data of AES-GCM; the others ignore it.
			if _, err := open(tr, e.Payload, etcdKey+"2"); p.IsBound() != (err != nil) {
				t.Errorf("bound: %v; with another path: %v", p.IsBound(), err)
			}
			dek, nonce, _ := e.Nonce()
			if p.IsKMS() != (dek != nil) {
				t.Errorf("KMS: %v, DEK: %x", p.IsKMS(), dek)
			}
			_, otherNonce, _ := other.Nonce()
			if bytes.Equal(nonce, otherNonce) {
				t.Errorf("two values have nonce %x", nonce)
			}
			if p.HasIV() != (p == AESCBC) {
				t.Errorf("IV: %v", p.HasIV()) // only AES-CBC is a block mode
			}
			var o kmstypes.EncryptedObject
			isObject := proto.Unmarshal(e.Payload, &o) == nil && kmsv2.ValidateEncryptedObject(&o) == nil
			if p.HasObject() != isObject || isObject && !bytes.Equal(o.EncryptedData, e.Ciphertext()) || !isObject && !bytes.Equal(e.Ciphertext(), e.Payload) {
				t.Errorf("object: %v; the API server says %v; ciphertext %x of %x", p.HasObject(), isObject, e.Ciphertext(), e.Payload)
			}

			checkTag(t, p, tr, e)
			checkSize(t, p, tr)
		})
	}
	for _, p := range []Provider{Unknown, Identity, Provider(len(providers))} {
		if s, why := p.Standing(); p.Encrypts() || p.IsKMS() || p.HasObject() || p.IsBound() || p.HasTag() || p.HasIV() || p.WriteLimit() != 0 || s != Supported || why != "" {
			t.Errorf("%v does not encrypt, and has a property: %+v", p, *p.scheme())
		}
	}
}

// open opens a payload as it lies under path.
func open(tr value.Transformer, payload []byte, path string) ([]byte, error) {
	plain, _, err := tr.TransformFromStorage(context.Background(), bytes.Clone(payload), value.DefaultContext(path))
	return plain, err
}

// checkTag checks that a change of any byte of the ciphertext keeps it from opening if
// there is a tag, and that without one some changes do not.
func checkTag(t *testing.T, p Provider, tr value.Transformer, e Envelope) {
	t.Helper()
	opened := 0
	ciphertext := e.Ciphertext()
	at := bytes.Index(e.Payload, ciphertext)
	for i := range ciphertext {
		changed := bytes.Clone(e.Payload)
		changed[at+i] ^= 1
		if p == KMSv1 && i < 2+e.DEKLen {
			continue // the plugin's own
		}
		if _, err := open(tr, changed, etcdKey); err == nil {
			opened++
		}
	}
	// Whether a value of KMS v1 is AES-GCM, nobody can tell: see TestOldKMSv1.
	if want := p.HasTag() || p == KMSv1; want != (opened == 0) {
		t.Errorf("tag: %v; %d of %d changed values open", p.HasTag(), opened, len(ciphertext))
	}
	if tail := e.Tail(); len(tail) != tagSize || cap(tail) != tagSize || !bytes.Contains(ciphertext, tail) {
		t.Errorf("tail %x of %x", tail, ciphertext)
	}
}

// checkSize checks how little the transformer makes of nothing.
func checkSize(t *testing.T, p Provider, tr value.Transformer) {
	t.Helper()
	stored, err := tr.TransformToStorage(context.Background(), nil, value.DefaultContext(etcdKey))
	if err != nil {
		t.Fatal(err)
	}
	e := must(Parse(append([]byte(Prefix(p, "k")), stored...), 0))
	s := p.scheme()
	size := s.nonce + tagSize // of the ciphertext; the block of AES-CBC is as long as a tag
	if p.HasObject() {
		size += infoSize // of a seed
	}
	if got := len(e.Ciphertext()); p == KMSv1 && got != 2+e.DEKLen+size || p != KMSv1 && got != size {
		t.Errorf("nothing is %d bytes, want %d", got, size)
	}
	if s.least > 0 && s.least != len(e.Payload)-e.DEKLen || s.fits != nil && !s.fits(e.Payload) {
		t.Errorf("least %d, of nothing %d", s.least, len(e.Payload))
	}
}

// The tag of two values under one nonce differs, and of the rest only what differs in
// their plaintext does: the tag is where Tail says. The API server opens both, so this is
// how it lays them out.
func TestTail(t *testing.T) {
	all := transformers(t)
	aead, err := cipher.NewGCM(block(t))
	if err != nil {
		t.Fatal(err)
	}
	for p, seal := range map[Provider]func(plain []byte) []byte{
		AESGCM: func(plain []byte) []byte {
			return aead.Seal(make([]byte, nonceGCM), make([]byte, nonceGCM), plain, []byte(etcdKey))
		},
		Secretbox: func(plain []byte) []byte {
			return nacl.Seal(make([]byte, nonceXSal), plain, &[nonceXSal]byte{}, &[32]byte{7})
		},
	} {
		var values [2]Envelope
		for i, plain := range []string{"Xplaintext, which is longer than a tag", "Yplaintext, which is longer than a tag"} {
			payload := seal([]byte(plain))
			if got, err := open(all[p], payload, etcdKey); string(got) != plain {
				t.Fatalf("%v: %q, %v", p, got, err)
			}
			values[i] = must(Parse(append([]byte(Prefix(p, "k")), payload...), 0))
		}
		one, two := values[0].Payload, values[1].Payload
		tag, otherTag := bytes.Index(one, values[0].Tail()), bytes.Index(two, values[1].Tail())
		body := p.scheme().nonce
		if p.scheme().tag == tagFirst {
			body += tagSize
		}
		if tag != otherTag || bytes.Equal(values[0].Tail(), values[1].Tail()) {
			t.Errorf("%v: tags at %d and %d", p, tag, otherTag)
		}
		for i := range one {
			if inTag := tag <= i && i < tag+tagSize; !inTag && (one[i] != two[i]) != (i == body) {
				t.Errorf("%v: byte %d: %x and %x", p, i, one[i], two[i])
			}
		}
	}
}

// KMS v1 from before Kubernetes 1.25 is AES-CBC, which has no tag and opens with any
// path; who has no DEK can not tell the two apart.
func TestOldKMSv1(t *testing.T) {
	newCBC := func(b cipher.Block) (value.Transformer, error) { return aestransformer.NewCBCTransformer(b), nil }
	tr := kmsv1.NewEnvelopeTransformer(xorV1{}, 0, newCBC)
	e := must(Parse(store(t, Prefix(KMSv1, "k"), tr, []byte("value")), 0))
	if _, err := open(tr, e.Payload, etcdKey+"2"); err != nil || e.Provider != KMSv1 || KMSv1.HasTag() {
		t.Errorf("%v: %v", e.Provider, err)
	}
}

// The prefixes are all that the API server knows.
//
// Source: the constants in pkg/server/options/encryptionconfig/config.go, k8s.io/apiserver.
func TestPrefixesOfTheAPIServer(t *testing.T) {
	dir, err := exec.Command("go", "list", "-f", "{{.Dir}}", "k8s.io/apiserver/pkg/server/options/encryptionconfig").Output()
	if err != nil {
		t.Fatal(err)
	}
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(strings.TrimSpace(string(dir)), "config.go"), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var want, got []string
	ast.Inspect(file, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			if text, err := strconv.Unquote(lit.Value); err == nil && strings.HasPrefix(text, enc) {
				want = append(want, text)
			}
		}
		return true
	})
	for _, p := range Encrypting() {
		s := p.scheme()
		got = append(got, enc+s.prefix)
		word, v, _ := strings.Cut(strings.TrimSuffix(s.prefix, ":"), ":")
		if s.prefix[s.version:len(s.prefix)-1] != v {
			t.Errorf("%v: the version of %q is at %d", p, s.prefix, s.version)
		}
		if list := EncryptingAs(word); !slices.Contains(list, p) || (len(list) == 2) != p.IsKMS() {
			t.Errorf("%q is %v", word, list)
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-API server +providers):\n%s", diff)
	}
	for _, word := range []string{"", "identity", "unknown", "kms-v1", "AESCBC"} {
		if list := EncryptingAs(word); list != nil {
			t.Errorf("%q is %v", word, list)
		}
	}
}

// What Kubernetes says of the providers. What is deprecated has a feature of that name, which says
// since when; the rest is in its documentation alone.
//
// Source: KMSv1 in pkg/features/kube_features.go, k8s.io/apiserver v0.37.2; the table of providers in
// "Encrypting Confidential Data at Rest": it does not recommend aescbc, because of padding oracle
// attacks, and says of aesgcm "Must be rotated every 200,000 writes".
func TestAdvice(t *testing.T) {
	specs := utilfeature.DefaultMutableFeatureGate.GetAllVersioned()[features.KMSv1]
	var deprecated, off *version.Version
	for _, s := range specs {
		if s.PreRelease == featuregate.Deprecated && deprecated == nil {
			deprecated = s.Version
		}
		if !s.Default && off == nil {
			off = s.Version
		}
	}
	for _, p := range Encrypting() {
		standing, why := p.Standing()
		switch {
		case (standing == Deprecated) != (p == KMSv1), (standing == NotRecommended) != (p == AESCBC), (why == "") != (standing == Supported):
			t.Errorf("%v: %v, %q", p, standing, why)
		case standing == Deprecated && (!strings.Contains(why, "deprecated since Kubernetes "+deprecated.String()) || !strings.HasSuffix(why, "off by default since "+off.String())):
			t.Errorf("%v: %q; it is deprecated since %v, and off since %v", p, why, deprecated, off)
		}
		if (p.WriteLimit() == 200_000) != (p == AESGCM) || p != AESGCM && p.WriteLimit() != 0 {
			t.Errorf("%v: limit %d", p, p.WriteLimit())
		}
	}
}
