package encryption

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apiserver/pkg/apis/apiserver"
	"k8s.io/apiserver/pkg/apis/apiserver/install"
	apiserverv1 "k8s.io/apiserver/pkg/apis/apiserver/v1"
	"k8s.io/apiserver/pkg/apis/apiserver/validation"

	"github.com/etcdsift/etcdsift/decode/envelope"
	"github.com/etcdsift/etcdsift/decode/resource"
)

// MaxFile bounds the size of a configuration file, in bytes. An API server's has some
// kilobytes.
const MaxFile = 256 << 10

// maxResources bounds the resources that a configuration names: the API server's validation
// compares every two, which would take minutes for as many as fit in a file. A cluster has some
// hundred.
const maxResources = 4096

const kind = "EncryptionConfiguration"

// wanted is the error for a file of another kind or version.
var wanted = fmt.Sprintf("want kind %s of apiVersion %s", kind, apiserverv1.SchemeGroupVersion)

// Parse reads an EncryptionConfiguration in YAML or JSON with the API server's own types,
// defaults and validation, and as strictly: what the API server does not know is an error. The
// error has a line for everything that is wrong, with the line of the file if it is known, and
// never a value, because it may be a key.
func Parse(file []byte) (*Config, error) {
	c := &Config{}
	if err := c.Add("", file); err != nil {
		return nil, err
	}
	return c, nil
}

// Add reads the EncryptionConfiguration of one more API server, as Parse does. name is
// what findings call the file. After an error the Config is as it was.
func (c *Config) Add(name string, content []byte) error {
	internal, lines, err := validate(content)
	if err != nil {
		return err
	}
	keys, plugins := len(c.keys), len(c.plugins)
	f, err := c.build(name, internal, lines)
	if err != nil {
		c.keys, c.plugins = c.keys[:keys], c.plugins[:plugins]
		return err
	}
	if f.sum, err = blankSum(internal); err != nil {
		return err
	}
	c.files = append(c.files, f)
	return nil
}

// blankSum is the SHA-256, in hexadecimal, of the JSON form of a configuration without the secret
// of any key.
func blankSum(c *apiserver.EncryptionConfiguration) (string, error) {
	c = c.DeepCopy()
	for _, r := range c.Resources {
		for _, p := range r.Providers {
			for _, keys := range [][]apiserver.Key{keysOf(p.AESGCM), keysOf(p.AESCBC), secretboxKeys(p.Secretbox)} {
				for i := range keys {
					keys[i].Secret = ""
				}
			}
		}
	}
	b, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("%s: no JSON form: %w", kind, err)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), nil
}

func keysOf(c *apiserver.AESConfiguration) []apiserver.Key {
	if c == nil {
		return nil
	}
	return c.Keys
}

func secretboxKeys(c *apiserver.SecretboxConfiguration) []apiserver.Key {
	if c == nil {
		return nil
	}
	return c.Keys
}

// validate decodes a file and checks it as the API server does.
func validate(file []byte) (*apiserver.EncryptionConfiguration, *lines, error) {
	if len(file) > MaxFile {
		return nil, nil, fmt.Errorf("not an %s: over %d KiB long", kind, MaxFile>>10)
	}
	if len(bytes.TrimSpace(file)) == 0 {
		return nil, nil, fmt.Errorf("not an %s: the file is empty", kind)
	}
	lines, err := newLines(file)
	if err != nil {
		return nil, nil, err
	}
	// The API server knows EncryptionConfig of v1, too, "due to a docs bug".
	if k := lines.text("kind"); k != kind && k != "" && (k != "EncryptionConfig" || lines.text("apiVersion") != "v1") {
		return nil, nil, lines.errorAt("kind", wanted)
	}
	internal, err := decode(file, lines)
	if err != nil {
		return nil, nil, err
	}
	named := 0
	for _, r := range internal.Resources {
		named += len(r.Resources)
	}
	if named > maxResources {
		return nil, nil, lines.errorAt("resources", fmt.Sprintf("%d resources are named, of at most %d", named, maxResources))
	}
	var problems []error
	// As an API server without --encryption-provider-config-automatic-reload, which
	// allows more.
	for _, e := range validation.ValidateEncryptionConfiguration(internal, false) {
		// The value in e may hold keys.
		problems = append(problems, lines.errorAt(e.Field, reason(e.Detail)))
	}
	if len(problems) > 0 {
		return nil, nil, errors.Join(problems...)
	}
	return internal, lines, nil
}

// reason is what the API server's validation says is wrong, without the value that some
// of its texts quote.
func reason(detail string) string {
	for _, text := range [...]struct{ start, without string }{
		{"invalid KMS provider name ", "invalid KMS provider name, must not contain ':'"},
		{"duplicate KMS provider name ", "duplicate KMS provider name, names must be unique"},
		{"invalid endpoint for kms provider", "invalid endpoint for kms provider"},
		{"unsupported scheme ", "unsupported scheme for KMS provider, only unix is supported"},
		{"unsupported apiVersion ", "unsupported apiVersion for KMS provider, only v1 and v2 are supported"},
	} {
		if strings.HasPrefix(detail, text.start) {
			return text.without
		}
	}
	return strings.TrimSpace(detail)
}

// decode decodes the file into the API server's internal form, defaults filled in.
func decode(file []byte, lines *lines) (*apiserver.EncryptionConfiguration, error) {
	scheme := runtime.NewScheme()
	install.Install(scheme)
	codecs := serializer.NewCodecFactory(scheme, serializer.EnableStrict)
	decoded, _, err := codecs.UniversalDecoder().Decode(file, nil, nil)
	if err != nil {
		return nil, decodeError(err, lines)
	}
	config, ok := decoded.(*apiserver.EncryptionConfiguration)
	if !ok {
		return nil, lines.errorAt("kind", wanted)
	}
	return config, nil
}

// decodeError says what is wrong with a file that does not decode.
func decodeError(err error, lines *lines) error {
	if strict, ok := runtime.AsStrictDecodingError(err); ok {
		var problems []error
		for _, e := range strict.Errors() {
			problems = append(problems, lines.strictError(e))
		}
		return errors.Join(problems...)
	}
	switch {
	case runtime.IsMissingKind(err):
		return fmt.Errorf("not an %s: it has no kind", kind)
	case runtime.IsMissingVersion(err):
		return fmt.Errorf("not an %s: it has no apiVersion", kind)
	case runtime.IsNotRegisteredError(err):
		return lines.errorAt("apiVersion", wanted)
	}
	// The decoder's text may quote what it could not decode.
	return lines.misplaced(fmt.Sprintf("not an %s: a field has a value of the wrong type", kind))
}

// build makes the entries of a file and their keys.
func (c *Config) build(name string, internal *apiserver.EncryptionConfiguration, lines *lines) (*file, error) {
	f := &file{name: name, entries: map[resource.GroupResource]*Entry{}}
	for i := range internal.Resources {
		r := &internal.Resources[i]
		var keys []*Key
		for j := range r.Providers {
			made, err := c.provider(&r.Providers[j])
			if err != nil {
				return nil, lines.errorAt(fmt.Sprintf("resources[%d].providers[%d]", i, j), err.Error())
			}
			keys = append(keys, made...)
		}
		for j, name := range r.Resources {
			path := fmt.Sprintf("resources[%d].resources[%d]", i, j)
			if err := f.addResource(name, keys, lines.of(path)); err != nil {
				return nil, lines.errorAt(path, err.Error())
			}
		}
	}
	return f, nil
}

// addResource gives a resource these keys. An earlier entry that covers the resource is an
// error.
//
// Source: getTransformerOverridesAndKMSPluginProbes in
// pkg/server/options/encryptionconfig/config.go, k8s.io/apiserver v0.37.2.
func (f *file) addResource(name string, keys []*Key, line int) error {
	parsed := schema.ParseGroupResource(name)
	r := resource.GroupResource{Group: parsed.Group, Resource: parsed.Resource}
	for _, earlier := range []resource.GroupResource{{Group: r.Group, Resource: anything}, {Group: anything, Resource: anything}} {
		if e := f.entries[earlier]; e != nil {
			return fmt.Errorf("resource %q is masked by the earlier rule %q", name, e)
		}
	}
	e := f.entries[r]
	if e == nil {
		e = &Entry{Resource: r, File: f.name, Line: line}
		f.entries[r] = e
		f.order = append(f.order, e)
	}
	e.Keys = append(e.Keys, keys...)
	return nil
}

// provider makes the keys of one provider, or finds those that are equal.
func (c *Config) provider(p *apiserver.ProviderConfiguration) ([]*Key, error) {
	switch {
	case p.Identity != nil:
		return []*Key{c.key(&Key{Provider: envelope.Identity})}, nil
	case p.KMS != nil:
		return []*Key{c.key(c.kms(p.KMS))}, nil
	case p.AESCBC != nil:
		return c.named(envelope.AESCBC, p.AESCBC.Keys)
	case p.AESGCM != nil:
		return c.named(envelope.AESGCM, p.AESGCM.Keys)
	case p.Secretbox != nil:
		return c.named(envelope.Secretbox, p.Secretbox.Keys)
	}
	return nil, errors.New("no provider that is known")
}

func (c *Config) named(provider envelope.Provider, list []apiserver.Key) ([]*Key, error) {
	keys := make([]*Key, len(list))
	for i, k := range list {
		secret, err := base64.StdEncoding.DecodeString(k.Secret)
		if err != nil {
			return nil, fmt.Errorf("key %q: its secret is not base64", k.Name)
		}
		key := &Key{Provider: provider, Name: k.Name, secret: string(secret)}
		if key.reader, err = newReader(provider, secret); err != nil {
			return nil, fmt.Errorf("key %q: %w", k.Name, err)
		}
		keys[i] = c.key(key)
	}
	return keys, nil
}

// key returns the first key that is equal to k, or k itself, which it then keeps.
func (c *Config) key(k *Key) *Key {
	for _, have := range c.keys {
		if have.Provider == k.Provider && have.Name == k.Name && have.secret == k.secret && have.plugin == k.plugin {
			return have
		}
	}
	k.prefix = envelope.Prefix(k.Provider, k.Name)
	c.keys = append(c.keys, k)
	return k
}
