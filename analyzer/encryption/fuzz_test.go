package encryption

import (
	"bytes"
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/server/options/encryptionconfig"
	"k8s.io/apiserver/pkg/storage/value"

	"github.com/etcdsift/etcdsift/decode/envelope"
	"github.com/etcdsift/etcdsift/decode/resource"
	"github.com/etcdsift/etcdsift/fixtures/alloc"
)

// secretLike is a text that may be a key in base64, of whichever alphabet.
var secretLike = regexp.MustCompile(`[A-Za-z0-9+/_-]{16,}={0,2}`)

// masked is the part of an error that names a resource: the API server would have
// refused a name that holds a capital letter, so a key is no such name.
var masked = regexp.MustCompile(`resource ".*" is masked`)

// checkNoSecret checks that an error holds no eight bytes of anything in the file that
// may be a key, but for the words that errors are made of.
func checkNoSecret(t testing.TB, err error, file []byte, words string) {
	t.Helper()
	text := masked.ReplaceAllString(err.Error(), "")
	for _, secret := range secretLike.FindAll(file, -1) {
		for i := range len(secret) - 7 {
			window := string(secret[i : i+8])
			if strings.Contains(text, window) && !strings.Contains(words, window) {
				t.Fatalf("error %q holds %q of %q", text, window, secret)
			}
		}
	}
}

// A configuration is decoded by libraries three times, for its lines, its fields and in the
// API server's own form, and every resource is compared with every other. Files are small.
var configBound = alloc.Bound{Fixed: 512 << 10, PerByte: 1 << 10}

func FuzzParse(f *testing.F) {
	words := new(strings.Builder)
	for _, tt := range badFiles {
		f.Add([]byte(tt.file))
		// Of the errors that show a value the table has only the start.
		words.WriteString(tt.want + "\n")
	}
	for _, tt := range misplacedSecrets {
		f.Add([]byte(tt.file))
	}
	words.WriteString("invalid KMS provider name, must not contain duplicate KMS provider name, names must be unique " +
		"unsupported scheme for KMS provider, only unix is supported invalid endpoint for kms provider")
	for _, tt := range goodFiles {
		f.Add([]byte(tt.file))
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		c, err := Parse(file)
		again, errAgain := Parse(file)
		configBound.Check(t, len(file), func() { _, _ = Parse(file) })
		if err != nil {
			if c != nil || errAgain == nil || errAgain.Error() != err.Error() {
				t.Fatalf("second Parse says: %v\nfirst: %v", errAgain, err)
			}
			checkNoSecret(t, err, file, words.String())
			return
		}
		if errAgain != nil || !slices.Equal(describe(c), describe(again)) {
			t.Fatalf("second Parse: %q, %v\nfirst: %q", describe(again), errAgain, describe(c))
		}
		lines := bytes.Count(file, []byte("\n")) + bytes.Count(file, []byte("\r")) + 1
		for _, e := range c.Entries() {
			if len(e.Keys) == 0 || slices.Contains(e.Keys, nil) {
				t.Fatalf("%v has no keys", e)
			}
			if e.Line < 0 || e.Line > lines {
				t.Fatalf("%v is at line %d of %d", e, e.Line, lines)
			}
			for _, k := range e.Keys {
				if k.Name == "" && k.Provider != envelope.Identity || k.reader == nil && k.plugin == nil && k.Provider != envelope.Identity {
					t.Fatalf("%v has a key without a name or bytes: %v %q", e, k.Provider, k.Name)
				}
			}
		}
		if len(c.Entries()) == 0 {
			t.Fatal("no entries")
		}
	})
}

func FuzzOpen(f *testing.F) {
	file := []byte(head + `resources:
- resources: [secrets]
  providers:
  - aescbc: {keys: [{name: k, secret: ` + secret16 + `}, {name: "k:2", secret: ` + secret24 + `}]}
  - aesgcm: {keys: [{name: k, secret: ` + secret32 + `}, {name: k, secret: ` + other32 + `}]}
  - identity: {}
  - secretbox: {keys: [{name: k, secret: ` + secret32 + `}]}
  - kms: {name: k, endpoint: "unix:///nowhere"}
`)
	c, err := Parse(file)
	if err != nil {
		f.Fatal(err)
	}
	server, err := load(f, file)
	if err != nil {
		f.Fatal(err)
	}
	for _, k := range c.keys {
		if k.plugin != nil {
			f.Add([]byte(k.prefix+"\x00\x01xyz"), []byte(etcdKey))
			continue
		}
		sealed := seal(f, k)
		f.Add(sealed, []byte(etcdKey))
		f.Add(sealed, []byte("another"))
		f.Add(sealed[:len(sealed)-1], []byte(etcdKey))
		f.Add(sealed[:min(len(sealed), len(k.prefix)+16)], []byte(etcdKey))
	}
	f.Fuzz(func(t *testing.T, stored, key []byte) {
		e := c.For(resource.GroupResource{Resource: "secrets"})
		before := bytes.Clone(stored)
		var opened []byte
		found := false
		for _, k := range e.Match(stored) {
			o, err := k.Open(t.Context(), stored, key)
			switch {
			case err != nil && (!errors.Is(err, ErrClosed) && (err != ErrNoKMS || k.plugin == nil) || o.Plain != nil || o.Stale || o.Unsure):
				t.Fatalf("%v: %+v, %v", k.Provider, o, err)
			case err == nil && o.Unsure && k.Provider != envelope.AESCBC:
				t.Fatalf("%v: unsure", k.Provider)
			case err == nil && len(o.Plain) > len(stored):
				t.Fatalf("%v: %d bytes of %d", k.Provider, len(o.Plain), len(stored))
			case err == nil && !found:
				opened, found = o.Plain, true
			}
		}
		if !bytes.Equal(stored, before) {
			t.Fatal("the value was changed")
		}
		want, err := read(t, server, stored, key)
		if (err == nil) != found || found && !bytes.Equal(opened, want) {
			t.Fatalf("%q: %q, %v; the API server: %q, %v", stored, opened, found, want, err)
		}
	})
}

// read has the API server open a value.
func read(t testing.TB, server encryptionconfig.StaticTransformers, stored, key []byte) (plain []byte, err error) {
	defer func() {
		if recover() != nil { // on an IV alone
			err = ErrClosed
		}
	}()
	if bytes.HasPrefix(stored, []byte("k8s:enc:kms:")) {
		return nil, ErrNoKMS // it would wait for the plugin
	}
	plain, _, err = server.TransformerForResource(schema.GroupResource{Resource: "secrets"}).
		TransformFromStorage(t.Context(), stored, value.DefaultContext(key))
	return plain, err
}
