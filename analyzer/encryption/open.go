package encryption

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"fmt"

	"k8s.io/apiserver/pkg/storage/value"
	aestransformer "k8s.io/apiserver/pkg/storage/value/encrypt/aes"
	"k8s.io/apiserver/pkg/storage/value/encrypt/secretbox"

	"github.com/etcdsift/etcdsift/decode/envelope"
)

// ErrClosed says that a key does not open a value: another key's bytes sealed the value, or
// somebody changed it, or it belongs to another etcd key.
var ErrClosed = errors.New("the key does not open the value")

// ErrRefused is ErrClosed where it is the KMS plugin that does not decrypt the data
// encryption key of a value.
var ErrRefused = fmt.Errorf("the KMS plugin does not decrypt its data encryption key: %w", ErrClosed)

// ErrNoKMS says that only a KMS plugin can open a value, and that the run may call no plugin.
var ErrNoKMS = errors.New("only the KMS plugin can open the value")

// newReader makes the API server's transformer for a key of that provider.
func newReader(provider envelope.Provider, secret []byte) (value.Read, error) {
	if provider == envelope.Secretbox {
		if len(secret) != 32 {
			return nil, fmt.Errorf("its length is %d bytes, not 32", len(secret))
		}
		return secretbox.NewSecretboxTransformer([32]byte(secret)), nil
	}
	block, err := aes.NewCipher(secret)
	if err != nil {
		return nil, fmt.Errorf("its length is %d bytes, not 16, 24 or 32", len(secret))
	}
	if provider == envelope.AESCBC {
		return aestransformer.NewCBCTransformer(block), nil
	}
	return aestransformer.NewGCMTransformer(block)
}

// Opened is what Key.Open made of a value.
type Opened struct {
	// Plain is the object as the API server encoded it. The caller clears it after use.
	Plain []byte
	// Stale says that the plugin of a KMS provider would write the value in another way now:
	// under another key ID, or in another form.
	Stale bool
	// Unsure says that another key may have sealed the value all the same: AES-CBC has no
	// authentication, and its padding fits by chance for one wrong key in 256.
	Unsure bool
}

// Open decrypts a value that Match says the key may have written. key is its etcd key: aesgcm
// and KMS bind a value to it, except KMS v1 on AES-CBC. Open does not change the value.
//
// The error is ErrClosed, ErrRefused, ErrNoKMS, that of ctx, or a *KMSError if the plugin did
// not answer; no error holds a byte of the value. The identity provider gives the value itself.
func (k *Key) Open(ctx context.Context, value, key []byte) (Opened, error) {
	switch {
	case k.Provider == envelope.Identity:
		return Opened{Plain: append([]byte(nil), value...)}, nil
	case k.plugin != nil:
		return k.plugin.open(ctx, value[len(k.prefix):], key)
	}
	return open(ctx, k.reader, k.Provider, value[len(k.prefix):], key)
}

func open(ctx context.Context, r value.Read, provider envelope.Provider, payload, key []byte) (Opened, error) {
	if provider == envelope.AESCBC && !fitsCBC(payload) {
		return Opened{}, ErrClosed
	}
	plain, stale, err := r.TransformFromStorage(ctx, payload, value.DefaultContext(key))
	if err != nil {
		return Opened{}, ErrClosed
	}
	return Opened{Plain: plain, Stale: stale, Unsure: !provider.HasTag() && padding(payload, plain) == 1}, nil
}

// fitsCBC reports whether there is a ciphertext to look at: the API server's transformer
// panics on an IV alone.
func fitsCBC(payload []byte) bool {
	return len(payload) >= 2*aes.BlockSize && len(payload)%aes.BlockSize == 0
}

// padding is how many bytes AES-CBC added to plain to make payload, an IV and blocks.
func padding(payload, plain []byte) int { return len(payload) - aes.BlockSize - len(plain) }

// A union reads what either AES-GCM or AES-CBC wrote. A value of the second one is stale.
type union [2]value.Read

func (u union) TransformFromStorage(ctx context.Context, data []byte, dataCtx value.Context) ([]byte, bool, error) {
	out, stale, err := u[0].TransformFromStorage(ctx, data, dataCtx)
	if err == nil {
		return out, stale, nil
	}
	if !fitsCBC(data) {
		return nil, false, ErrClosed
	}
	out, _, err = u[1].TransformFromStorage(ctx, data, dataCtx)
	return out, true, err
}

func (u union) TransformToStorage(context.Context, []byte, value.Context) ([]byte, error) {
	return nil, errors.ErrUnsupported // evidence is only read
}

// dekReader makes the transformer for values under a DEK of KMS v1: AES-GCM since
// Kubernetes 1.25, and AES-CBC before.
//
// Source: envelopePrefixTransformer in pkg/server/options/encryptionconfig/config.go,
// k8s.io/apiserver v0.37.2.
func dekReader(block cipher.Block) (value.Transformer, error) {
	gcm, err := aestransformer.NewGCMTransformer(block)
	if err != nil {
		return nil, err
	}
	return union{gcm, aestransformer.NewCBCTransformer(block)}, nil
}
