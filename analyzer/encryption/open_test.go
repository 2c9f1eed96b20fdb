package encryption

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"strings"
	"sync"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/storage/value"
	aestransformer "k8s.io/apiserver/pkg/storage/value/encrypt/aes"

	"github.com/etcdsift/etcdsift/decode/envelope"
	"github.com/etcdsift/etcdsift/fixtures/forged"
)

// sealers are a configuration of each provider that has its keys in the file.
var sealers = []struct {
	name, provider string
	authentic      bool // it tells that a value was changed
	bound          bool // it tells that a value lies under another etcd key
}{
	{"aesgcm 16", "aesgcm: {keys: [{name: k, secret: " + secret16 + "}]}", true, true},
	{"aesgcm 24", "aesgcm: {keys: [{name: k, secret: " + secret24 + "}]}", true, true},
	{"aesgcm 32", "aesgcm: {keys: [{name: 'k:k', secret: " + secret32 + "}]}", true, true},
	{"aescbc 16", "aescbc: {keys: [{name: k, secret: " + secret16 + "}]}", false, false},
	{"aescbc 24", "aescbc: {keys: [{name: k, secret: " + secret24 + "}]}", false, false},
	{"aescbc 32", "aescbc: {keys: [{name: 'k:k', secret: " + secret32 + "}]}", false, false},
	{"secretbox", "secretbox: {keys: [{name: 'k:k', secret: " + secret32 + "}]}", true, false},
}

// stored has the API server store a value, and gives it with the key that is to open it.
func stored(t testing.TB, provider, plain string) ([]byte, *Key) {
	t.Helper()
	file := toSecret + "  - " + provider + "\n"
	server, err := load(t, []byte(file))
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := server.TransformerForResource(schema.GroupResource{Resource: "secrets"}).
		TransformToStorage(t.Context(), []byte(plain), value.DefaultContext(etcdKey))
	if err != nil {
		t.Fatal(err)
	}
	return sealed, only(t, Entries{parse(t, file).Entries()[0]}.Match(sealed))
}

func only(t testing.TB, keys []*Key) *Key {
	t.Helper()
	if len(keys) != 1 {
		t.Fatalf("%d keys match, want one", len(keys))
	}
	return keys[0]
}

// checkClosed checks that the key does not open the value, and says so.
func checkClosed(t testing.TB, k *Key, stored []byte, key, what string) {
	t.Helper()
	o, err := k.Open(t.Context(), stored, []byte(key))
	if !errors.Is(err, ErrClosed) || o.Plain != nil || o.Stale || o.Unsure {
		t.Fatalf("%s: %+v, %v, want %v", what, o, err, ErrClosed)
	}
}

func TestOpen(t *testing.T) {
	for _, s := range sealers {
		t.Run(s.name, func(t *testing.T) {
			for n := range 49 {
				plain := strings.Repeat("p", n)
				sealed, k := stored(t, s.provider, plain)
				before := bytes.Clone(sealed)
				o, err := k.Open(t.Context(), sealed, []byte(etcdKey))
				// Only a padding of one byte fits by chance.
				unsure := k.Provider == envelope.AESCBC && n%aes.BlockSize == aes.BlockSize-1
				if err != nil || string(o.Plain) != plain || o.Stale || o.Unsure != unsure {
					t.Fatalf("%d bytes: %+v, %v, want unsure %v", n, o, err, unsure)
				}
				clear(o.Plain)
				if !bytes.Equal(sealed, before) {
					t.Fatalf("%d bytes: the value was changed", n)
				}
				o, err = k.Open(t.Context(), sealed, []byte(etcdKey+"2"))
				if s.bound && !errors.Is(err, ErrClosed) || !s.bound && (err != nil || string(o.Plain) != plain) {
					t.Fatalf("%d bytes under another etcd key: %+v, %v", n, o, err)
				}
			}
		})
	}
}

// Other bytes under the same name.
func TestOpenWithAnotherKey(t *testing.T) {
	for _, s := range sealers {
		sealed, k := stored(t, s.provider, "0123456789")
		for _, secret := range []string{other32, encode(raw32[:31] + "x")} {
			c := parse(t, toSecret+"  - "+k.Provider.String()+": {keys: [{name: '"+k.Name+"', secret: "+secret+"}]}\n")
			o, err := only(t, c.Match(sealed)).Open(t.Context(), sealed, []byte(etcdKey))
			if s.authentic && !errors.Is(err, ErrClosed) {
				t.Errorf("%s: %v, want %v", s.name, err, ErrClosed)
			}
			if !s.authentic && !errors.Is(err, ErrClosed) && (err != nil || string(o.Plain) == "0123456789") {
				t.Errorf("%s: %+v, %v", s.name, o, err)
			}
		}
	}
}

// Each bit behind the prefix, turned over.
func TestOpenFlipped(t *testing.T) {
	for _, s := range sealers {
		for _, plain := range []string{"", "p", "0123456789abcde", "0123456789abcdef0"} {
			sealed, k := stored(t, s.provider, plain)
			for bit := len(k.prefix) * 8; bit < len(sealed)*8; bit++ {
				flipped := bytes.Clone(sealed)
				flipped[bit/8] ^= 1 << (bit % 8)
				if s.authentic {
					checkClosed(t, k, flipped, etcdKey, s.name)
					continue
				}
				o, err := k.Open(t.Context(), flipped, []byte(etcdKey))
				if err != nil && !errors.Is(err, ErrClosed) || err == nil && bytes.Equal(o.Plain, []byte(plain)) {
					t.Fatalf("%s, byte %d: %+v, %v", s.name, bit/8, o, err)
				}
			}
		}
	}
}

// A value cut at every byte: none of the prefix matches a key, and no rest of a payload
// opens where a value is authenticated. AES-CBC is sure to refuse what is no whole
// number of blocks; the API server's transformer panics on the IV alone.
func TestOpenCutAtEveryByte(t *testing.T) {
	for _, s := range sealers {
		sealed, k := stored(t, s.provider, "0123456789abcdef0123456789abcdef!")
		for n := range sealed {
			cut := sealed[:n:n]
			if n < len(k.prefix) {
				if hasPrefix(cut, k.prefix) {
					t.Fatalf("%s: matches after %d bytes", s.name, n)
				}
				continue
			}
			payload := n - len(k.prefix)
			if s.authentic || payload%aes.BlockSize != 0 || payload < 2*aes.BlockSize {
				checkClosed(t, k, cut, etcdKey, s.name)
			} else if _, err := k.Open(t.Context(), cut, []byte(etcdKey)); err != nil && !errors.Is(err, ErrClosed) {
				t.Fatalf("%s, %d bytes: %v", s.name, n, err)
			}
		}
	}
}

func TestOpenIdentity(t *testing.T) {
	c := parse(t, toSecret+"  - identity: {}\n")
	in := []byte(plainText)
	o, err := only(t, c.Match(in)).Open(t.Context(), in, []byte(etcdKey))
	if err != nil || string(o.Plain) != plainText || o.Stale || o.Unsure {
		t.Fatalf("%+v, %v", o, err)
	}
	clear(o.Plain) // as the caller does
	if string(in) != plainText {
		t.Error("Plain is the value itself")
	}
}

func TestOpenWithoutKMS(t *testing.T) {
	for _, version := range []string{"v1", "v2"} {
		c := parse(t, toKMS+"      apiVersion: "+version+"\n      name: vault\n      endpoint: unix:///nowhere\n")
		if configured, open := c.KMS(); !configured || open {
			t.Errorf("KMS() = %v, %v, want true, false", configured, open)
		}
		sealed := []byte("k8s:enc:kms:" + version + ":vault:\x00\x01xyz")
		k := only(t, c.Match(sealed))
		if o, err := k.Open(t.Context(), sealed, []byte(etcdKey)); err != ErrNoKMS || o.Plain != nil {
			t.Errorf("%s: %+v, %v, want %v", version, o, err, ErrNoKMS)
		}
		if id := k.KMSKeyID(); id != "" {
			t.Errorf("%s: key ID %q", version, id)
		}
	}
	c := parse(t, toSecret+"  - identity: {}\n")
	if configured, open := c.KMS(); configured || open {
		t.Errorf("KMS() = %v, %v, want false, false", configured, open)
	}
	if err := c.OpenKMS(t.Context()); err != nil {
		t.Error(err)
	}
}

// Many at a time get the same as one.
func TestOpenConcurrently(t *testing.T) {
	type item struct {
		k      *Key
		sealed []byte
		plain  string
		err    error
	}
	var items []item
	for _, s := range sealers {
		for _, plain := range []string{"", "one", strings.Repeat("long ", 1000)} {
			sealed, k := stored(t, s.provider, plain)
			items = append(items, item{k, sealed, plain, nil}, item{k, sealed[:len(sealed)-1], "", ErrClosed})
		}
	}
	var wg sync.WaitGroup
	for g := range 32 {
		wg.Go(func() {
			for i := range items {
				it := items[(i+g)%len(items)]
				o, err := it.k.Open(t.Context(), it.sealed, []byte(etcdKey))
				if string(o.Plain) != it.plain || err != it.err {
					t.Errorf("%v: %q, %v, want %q, %v", it.k.Provider, o.Plain, err, it.plain, it.err)
				}
			}
		})
	}
	wg.Wait()
}

// A DEK of KMS v1 opens what either cipher wrote, and what AES-CBC wrote is stale.
func TestDEKReader(t *testing.T) {
	block, err := aes.NewCipher([]byte(raw32))
	if err != nil {
		t.Fatal(err)
	}
	reader, err := dekReader(block)
	if err != nil {
		t.Fatal(err)
	}
	gcm, err := aestransformer.NewGCMTransformer(block)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		writer value.Transformer
		stale  bool
	}{
		"gcm": {gcm, false},
		"cbc": {aestransformer.NewCBCTransformer(block), true},
	} {
		for n := range 49 {
			plain := bytes.Repeat([]byte("p"), n)
			sealed, err := tt.writer.TransformToStorage(t.Context(), plain, value.DefaultContext(etcdKey))
			if err != nil {
				t.Fatal(err)
			}
			got, stale, err := reader.TransformFromStorage(t.Context(), sealed, value.DefaultContext(etcdKey))
			if err != nil || !bytes.Equal(got, plain) || stale != tt.stale {
				t.Errorf("%s, %d bytes: %q, stale %v, %v", name, n, got, stale, err)
			}
			for cut := range sealed {
				got, _, err := reader.TransformFromStorage(t.Context(), sealed[:cut], value.DefaultContext(etcdKey))
				if err == nil && cut%aes.BlockSize != 0 {
					t.Errorf("%s, cut after %d bytes: %q", name, cut, got)
				}
			}
		}
	}
	if _, err := reader.TransformToStorage(t.Context(), nil, value.DefaultContext(etcdKey)); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("it writes: %v", err)
	}
}

// What a cancelled context says of a value is nothing.
func TestOpenCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	sealed, k := stored(t, sealers[0].provider, "p")
	if o, err := k.Open(ctx, sealed, []byte(etcdKey)); err == nil && string(o.Plain) != "p" || err != nil && err != context.Canceled {
		t.Errorf("%+v, %v", o, err)
	}
}

func encryptCBC(t testing.TB, secret, iv, blocks []byte) []byte {
	t.Helper()
	block, err := aes.NewCipher(secret)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]byte, len(blocks))
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(out, blocks)
	return append(bytes.Clone(iv), out...)
}

// Paddings that no encoder writes, made by hand.
func TestOpenOddPadding(t *testing.T) {
	c := parse(t, toKeys+"      - {name: k, secret: "+secret32+"}\n")
	iv := bytes.Repeat([]byte{9}, aes.BlockSize)
	for _, tt := range []struct {
		name, blocks string
		want         string // of the plaintext; closed if it is "closed"
		unsure       bool
	}{
		{"padding alone", strings.Repeat("\x10", 16), "", false},
		{"one byte", "0123456789abcde\x01", "0123456789abcde", true},
		{"two bytes", "0123456789abcd\x02\x02", "0123456789abcd", false},
		{"ends in one, before it another", "0123456789abcd\x01\x01", "0123456789abcd\x01", true},
		{"none", "0123456789abcde\x00", "closed", false},
		{"second byte differs", "0123456789abcd\x01\x02", "closed", false},
		{"longer than the value", strings.Repeat("\x11", 16), "closed", false},
	} {
		sealed := forged.Envelope("aescbc:v1:k", encryptCBC(t, []byte(raw32), iv, []byte(tt.blocks)))
		o, err := only(t, c.Match(sealed)).Open(t.Context(), sealed, []byte(etcdKey))
		if tt.want == "closed" {
			if !errors.Is(err, ErrClosed) {
				t.Errorf("%s: %+v, %v, want %v", tt.name, o, err, ErrClosed)
			}
			continue
		}
		if err != nil || string(o.Plain) != tt.want || o.Unsure != tt.unsure {
			t.Errorf("%s: %+v, %v, want %q, unsure %v", tt.name, o, err, tt.want, tt.unsure)
		}
	}
}
