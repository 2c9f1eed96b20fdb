package encryption

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"k8s.io/apiserver/pkg/apis/apiserver"
	"k8s.io/apiserver/pkg/storage/value"
	envelopev1 "k8s.io/apiserver/pkg/storage/value/encrypt/envelope"
	"k8s.io/apiserver/pkg/storage/value/encrypt/envelope/kmsv2"
	kmstypes "k8s.io/apiserver/pkg/storage/value/encrypt/envelope/kmsv2/v2"
	"k8s.io/kms/pkg/util"

	"github.com/etcdsift/etcdsift/decode/envelope"
)

// A plugin is a KMS plugin that the configuration names. Nothing calls it before OpenKMS.
type plugin struct {
	name     string
	version  string // v1 or v2
	endpoint string // unix:///path
	timeout  time.Duration
	cache    int // DEKs that a v1 transformer keeps

	reader value.Read // nil until OpenKMS
	keyID  string     // of v2: what the plugin writes with now

	mu      sync.Mutex
	refused map[[sha256.Size]byte]bool // by the hash of a data encryption key in its stored form
}

// maxRefused bounds the data encryption keys that no call sends to a plugin again.
const maxRefused = 1 << 16

// A KMSError says that nothing reached a plugin, or that it gave no valid answer.
type KMSError struct {
	Name, Endpoint string
	Err            error
}

func (e *KMSError) Error() string {
	return fmt.Sprintf("KMS provider %q at %s: %v", e.Name, e.Endpoint, e.Err)
}

func (e *KMSError) Unwrap() error { return e.Err }

// kms is the key that a KMS provider stands for. Providers of one name and endpoint are
// one.
func (c *Config) kms(k *apiserver.KMSConfiguration) *Key {
	p := &plugin{name: k.Name, version: k.APIVersion, endpoint: k.Endpoint, timeout: k.Timeout.Duration}
	if k.CacheSize != nil {
		p.cache = int(*k.CacheSize)
	}
	for _, have := range c.plugins {
		if have.name == p.name && have.version == p.version && have.endpoint == p.endpoint {
			p = have
		}
	}
	key := &Key{Provider: envelope.KMSv1, Name: k.Name, plugin: p}
	if k.APIVersion == "v2" {
		key.Provider = envelope.KMSv2
	}
	for _, have := range c.plugins {
		if have == p {
			return key
		}
	}
	c.plugins = append(c.plugins, p)
	return key
}

// OpenKMS connects to the plugins of all KMS providers at their unix sockets, and
// checks that each answers; until then Key.Open says ErrNoKMS for their values. The
// connections end with ctx. The error joins a *KMSError for each that does not answer.
func (c *Config) OpenKMS(ctx context.Context) error {
	var errs []error
	for _, p := range c.plugins {
		if err := p.connect(ctx); err != nil {
			errs = append(errs, &KMSError{p.name, p.endpoint, err})
		}
	}
	return errors.Join(errs...)
}

// KMS reports whether the configuration has KMS providers, and whether it may call them.
func (c *Config) KMS() (configured, open bool) {
	for _, p := range c.plugins {
		open = open || p.reader != nil
	}
	return len(c.plugins) > 0, open
}

// KMSKeyID is the key ID that the plugin of a KMS v2 provider said it writes with, empty
// for any other key and before OpenKMS.
func (k *Key) KMSKeyID() string {
	if k.plugin == nil {
		return ""
	}
	return k.plugin.keyID
}

func (p *plugin) connect(ctx context.Context) error {
	if err := p.dial(ctx); err != nil {
		return err
	}
	if p.version == "v1" {
		return p.connectV1(ctx)
	}
	service, err := kmsv2.NewGRPCService(ctx, p.endpoint, p.name, p.timeout)
	if err != nil {
		return err
	}
	answer, err := service.Status(ctx)
	if err != nil {
		return rpcError(err)
	}
	if answer.Healthz != "ok" {
		return errors.New("the plugin says that it is not healthy")
	}
	if _, err := kmsv2.ValidateKeyID(answer.KeyID); err != nil {
		return errors.New("the plugin's status has no valid key ID")
	}
	p.keyID = answer.KeyID
	// What a transformer writes with decides what it calls stale. An API server encrypts
	// something to learn it; the key ID and its form of today are enough for reading.
	now := func() (kmsv2.State, error) {
		return kmsv2.State{EncryptedObjectKeyID: p.keyID,
			EncryptedObjectEncryptedDEKSourceType: kmstypes.EncryptedDEKSourceType_HKDF_SHA256_XNONCE_AES_GCM_SEED}, nil
	}
	p.reader = kmsv2.NewEnvelopeTransformer(service, p.name, now, "etcdsift")
	return nil
}

func (p *plugin) connectV1(ctx context.Context) error {
	service, err := envelopev1.NewGRPCService(ctx, p.endpoint, p.timeout)
	if err != nil {
		return err
	}
	// KMS v1 has no status: its health is that it encrypts, as the API server's probe
	// finds out.
	if _, err := service.Encrypt([]byte("ping")); err != nil {
		return rpcError(err)
	}
	p.reader = envelopev1.NewEnvelopeTransformer(service, p.cache, dekReader)
	return nil
}

// dial finds out at once what gRPC learns only at its timeout: that there is no socket, or
// nobody behind it.
func (p *plugin) dial(ctx context.Context) error {
	address, err := util.ParseEndpoint(p.endpoint)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", address)
	if err != nil {
		var op *net.OpError
		if errors.As(err, &op) {
			return op.Err // the address is in the endpoint
		}
		return err
	}
	return conn.Close()
}

// open decrypts the payload of a value behind its prefix.
func (p *plugin) open(ctx context.Context, payload, key []byte) (Opened, error) {
	if p.reader == nil {
		return Opened{}, ErrNoKMS
	}
	dek := p.dek(payload)
	if p.hasRefused(dek) {
		return Opened{}, ErrRefused
	}
	plain, stale, err := p.reader.TransformFromStorage(ctx, payload, value.DefaultContext(key))
	switch {
	case err == nil:
		o := Opened{Plain: plain, Stale: stale}
		if p.version == "v1" && stale { // it was AES-CBC, behind the encrypted DEK
			o.Unsure = padding(payload[2+int(binary.BigEndian.Uint16(payload)):], plain) == 1
		}
		return o, nil
	case ctx.Err() != nil:
		return Opened{}, ctx.Err()
	case isSilence(err):
		return Opened{}, &KMSError{p.name, p.endpoint, rpcError(err)}
	case isStatus(err):
		p.refuse(dek)
		return Opened{}, ErrRefused
	}
	return Opened{}, ErrClosed
}

// dek tells the data encryption key of a value from others.
func (p *plugin) dek(payload []byte) [sha256.Size]byte {
	if p.version == "v1" {
		if len(payload) < 2 {
			return [sha256.Size]byte{}
		}
		return sha256.Sum256(payload[:min(len(payload), 2+int(binary.BigEndian.Uint16(payload)))])
	}
	o, _ := envelope.ParseEncryptedObject(payload, 0) // of a broken one, its readable part
	h := sha256.New()
	h.Write(o.DEKSource)
	h.Write([]byte{0})
	h.Write(o.KeyID)
	return [sha256.Size]byte(h.Sum(nil))
}

func (p *plugin) hasRefused(dek [sha256.Size]byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.refused[dek]
}

func (p *plugin) refuse(dek [sha256.Size]byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.refused == nil {
		p.refused = map[[sha256.Size]byte]bool{}
	}
	if len(p.refused) < maxRefused {
		p.refused[dek] = true
	}
}

// isStatus reports whether an error is the answer of a plugin.
func isStatus(err error) bool {
	_, ok := status.FromError(err)
	return ok
}

// isSilence reports whether a plugin gave no answer; that says nothing of the value.
func isSilence(err error) bool {
	switch status.Code(err) {
	case codes.PermissionDenied, codes.Unauthenticated, codes.ResourceExhausted, codes.Unimplemented:
		return true // the plugin declines
	}
	return isUnreachable(err)
}

func isUnreachable(err error) bool {
	switch status.Code(err) {
	case codes.Unavailable, codes.Canceled, codes.DeadlineExceeded:
		return true
	}
	return false
}

// rpcError says what became of a call, without the plugin's own text, which may be anything.
func rpcError(err error) error {
	// The client of KMS v1 drops the code of the first call.
	if isUnreachable(err) || status.Code(err) == codes.Unknown && strings.Contains(err.Error(), codes.DeadlineExceeded.String()) {
		return errors.New("the plugin does not answer")
	}
	return fmt.Errorf("the plugin answers with an error (%v)", status.Code(err))
}
