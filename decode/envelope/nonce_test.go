package envelope

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"strings"
	"testing"
	"time"

	nacl "golang.org/x/crypto/nacl/secretbox"
	"k8s.io/apiserver/pkg/storage/value"
	aestransformer "k8s.io/apiserver/pkg/storage/value/encrypt/aes"
	kmsv1 "k8s.io/apiserver/pkg/storage/value/encrypt/envelope"
	"k8s.io/apiserver/pkg/storage/value/encrypt/envelope/kmsv2"
	"k8s.io/apiserver/pkg/storage/value/encrypt/secretbox"
)

// kmsV2 is the API server's transformer of KMS v2 for one DEK, or one seed.
func kmsV2(t testing.TB, seed bool) value.Transformer {
	t.Helper()
	tr, o, cacheKey, err := kmsv2.GenerateTransformer(context.Background(), "uid", xorV2{}, seed)
	if err != nil {
		t.Fatal(err)
	}
	return kmsv2.NewEnvelopeTransformer(xorV2{}, "vault", func() (kmsv2.State, error) {
		return kmsv2.State{
			Transformer: tr, EncryptedObjectKeyID: o.KeyID, EncryptedObjectEncryptedDEKSource: o.EncryptedDEKSource,
			EncryptedObjectAnnotations: o.Annotations, EncryptedObjectEncryptedDEKSourceType: o.EncryptedDEKSourceType,
			ExpirationTimestamp: time.Now().Add(time.Hour), CacheKey: cacheKey,
		}, nil
	}, "id")
}

// openGCM opens what lies behind a nonce.
func openGCM(t testing.TB, b cipher.Block, nonce, sealed []byte) string {
	t.Helper()
	aead, err := cipher.NewGCM(b)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := aead.Open(nil, nonce, sealed, []byte(etcdKey))
	if err != nil {
		t.Fatal(err)
	}
	return string(plain)
}

func openCBC(b cipher.Block, iv, sealed []byte) string {
	plain := bytes.Clone(sealed)
	cipher.NewCBCDecrypter(b, iv).CryptBlocks(plain, plain)
	return string(plain[:len(plain)-int(plain[len(plain)-1])])
}

func newBlock(t testing.TB, key []byte) cipher.Block {
	t.Helper()
	b, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Values that the API server sealed, opened by hand: with what Nonce says, and what
// follows it in the value.
func TestNonceOfTheAPIServer(t *testing.T) {
	newGCM := func(b cipher.Block) (value.Transformer, error) { return aestransformer.NewGCMTransformer(b) }
	newCBC := func(b cipher.Block) (value.Transformer, error) { return aestransformer.NewCBCTransformer(b), nil }
	unwrapV1 := func(dek []byte) []byte { return xor(dek[:len(dek)-len("wrapped:")]) }
	for _, p := range []struct {
		name, prefix string
		transformer  value.Transformer
		size         int // of the nonce
		dek          int // how many DEKs two values have
		open         func(dek, nonce, rest []byte) string
	}{
		{"aescbc", "k8s:enc:aescbc:v1:a:b:", aestransformer.NewCBCTransformer(block(t)), 16, 0,
			func(_, nonce, rest []byte) string { return openCBC(block(t), nonce, rest) }},
		{"aesgcm", "k8s:enc:aesgcm:v1:a:b:", gcm(t, block(t)), 12, 0,
			func(_, nonce, rest []byte) string { return openGCM(t, block(t), nonce, rest) }},
		{"secretbox", "k8s:enc:secretbox:v1:a:b:", secretbox.NewSecretboxTransformer([32]byte{7}), 24, 0,
			func(_, nonce, rest []byte) string {
				plain, ok := nacl.Open(nil, rest, (*[24]byte)(nonce), &[32]byte{7})
				if !ok {
					t.Fatal("secretbox does not open")
				}
				return string(plain)
			}},
		{"kms v1", "k8s:enc:kms:v1:a:b:", kmsv1.NewEnvelopeTransformer(xorV1{}, 0, newGCM), 12, 2,
			func(dek, nonce, rest []byte) string { return openGCM(t, newBlock(t, unwrapV1(dek)), nonce, rest) }},
		// Its IV is 16 bytes, and Nonce takes as many of them as a nonce has.
		{"kms v1 on AES-CBC", "k8s:enc:kms:v1:a:b:", kmsv1.NewEnvelopeTransformer(xorV1{}, 0, newCBC), 12, 2,
			func(dek, nonce, rest []byte) string {
				return openCBC(newBlock(t, unwrapV1(dek)), append(bytes.Clone(nonce), rest[:4]...), rest[4:])
			}},
		{"kms v2", "k8s:enc:kms:v2:vault:", kmsV2(t, false), 12, 1,
			func(dek, nonce, rest []byte) string { return openGCM(t, newBlock(t, xor(dek)), nonce, rest) }},
		{"kms v2 with a seed", "k8s:enc:kms:v2:vault:", kmsV2(t, true), 32 + 12, 1,
			func(dek, nonce, rest []byte) string {
				key, err := hkdf.Expand(sha256.New, xor(dek), string(nonce[:32]), 32)
				if err != nil {
					t.Fatal(err)
				}
				return openGCM(t, newBlock(t, key), nonce[32:], rest)
			}},
	} {
		t.Run(p.name, func(t *testing.T) {
			names := []Name{{AESCBC, "a:b"}, {AESGCM, "a:b"}, {Secretbox, "a:b"}, {KMSv1, "a:b"}, {KMSv2, "vault"}}
			for n := range 40 {
				plain := strings.Repeat(":", n)
				nonces, deks := map[string]bool{}, map[string]bool{}
				for range 2 {
					stored := store(t, p.prefix, p.transformer, []byte(plain))
					e := must(ParseNamed(stored, 0, names))
					dek, nonce, ok := e.Nonce()
					if !ok || len(nonce) != p.size {
						t.Fatalf("nonce %x, %v, want %d bytes", nonce, ok, p.size)
					}
					at := bytes.Index(stored, nonce)
					data := stored[at+len(nonce):]
					if e.Provider == KMSv2 { // other fields follow
						data = e.Object.EncryptedData[len(nonce):]
					}
					if got := p.open(dek, nonce, data); got != plain {
						t.Fatalf("%d bytes open to %q", n, got)
					}
					nonces[string(nonce)] = true
					if dek != nil {
						deks[string(dek)] = true
					}
					checkNonce(t, stored, e, nil)
				}
				if len(nonces) != 2 || len(deks) != p.dek {
					t.Fatalf("two values have %d nonces and %d DEKs, want 2, %d", len(nonces), len(deks), p.dek)
				}
			}
		})
	}
}

// What is cut in front of the end of a nonce has none, and what is whole has one.
func TestNonceCutAtEveryByte(t *testing.T) {
	for _, tt := range []struct {
		name, prefix, payload string
		need                  int // bytes of the payload up to the end of the nonce
	}{
		{"aescbc", "k8s:enc:aescbc:v1:k:", cbc48, 16},
		{"aesgcm", "k8s:enc:aesgcm:v1:k:", gcm40, 12},
		{"secretbox", "k8s:enc:secretbox:v1:k:", secretbox4, 24},
		{"kms v1", "k8s:enc:kms:v1:k:", kms1, 2 + 20 + 12},
		// A message that is cut has the fields that are whole, and the data is the first of them.
		{"kms v2, key", "k8s:enc:kms:v2:k:", kms2[:len(kms2)-2], 2 + 60},
		{"kms v2, seed", "k8s:enc:kms:v2:k:", kms2, 2 + 60},
	} {
		for n := range len(tt.payload) + 1 {
			stored := []byte(tt.prefix + tt.payload[:n])
			e, err := Parse(stored, 0)
			dek, nonce, ok := e.Nonce()
			if ok && n < tt.need || !ok && n == len(tt.payload) {
				t.Errorf("%s, %d bytes: nonce %x, %v, want none below %d bytes", tt.name, n, nonce, ok, tt.need)
			}
			if !ok && (dek != nil || nonce != nil) {
				t.Errorf("%s, %d bytes: %x, %x", tt.name, n, dek, nonce)
			}
			checkNonce(t, stored, e, err)
		}
	}
	for _, stored := range []string{"", "k8s\x00\x0a", "{}", "k8s:enc:", "k8s:enc:rot13:v1:k:" + gcm40, "k8s:enc:aesgcm:v1"} {
		e, _ := Parse([]byte(stored), 0)
		if dek, nonce, ok := e.Nonce(); ok || dek != nil || nonce != nil {
			t.Errorf("%q: %x, %x, %v", stored, dek, nonce, ok)
		}
	}
}

// Values that differ in a byte of the nonce have different ones, and no other byte is in it.
func TestNonceIsWhereItIs(t *testing.T) {
	for _, tt := range []struct {
		name, prefix, payload string
		from, to              int // the nonce in the payload
		dekFrom, dekTo        int
	}{
		{"aescbc", "k8s:enc:aescbc:v1:k:", cbc48, 0, 16, 0, 0},
		{"aesgcm", "k8s:enc:aesgcm:v1:k:", gcm40, 0, 12, 0, 0},
		{"secretbox", "k8s:enc:secretbox:v1:k:", secretbox4, 0, 24, 0, 0},
		{"kms v1", "k8s:enc:kms:v1:k:", kms1, 22, 34, 2, 22},
		{"kms v2, key", "k8s:enc:kms:v2:k:", kms2[:len(kms2)-2], 2, 14, 2 + 60 + 7 + 2, 2 + 60 + 7 + 2 + 20},
		{"kms v2, seed", "k8s:enc:kms:v2:k:", kms2, 2, 46, 2 + 60 + 7 + 2, 2 + 60 + 7 + 2 + 20},
	} {
		e := must(Parse([]byte(tt.prefix+tt.payload), 0))
		dek, nonce, ok := e.Nonce()
		if !ok || string(nonce) != tt.payload[tt.from:tt.to] || string(dek) != tt.payload[tt.dekFrom:tt.dekTo] || (dek == nil) != (tt.dekTo == 0) {
			t.Errorf("%s: DEK %x, nonce %x, %v", tt.name, dek, nonce, ok)
		}
		for i := range tt.payload {
			changed := []byte(tt.payload)
			changed[i] ^= 1
			e, err := Parse([]byte(tt.prefix+string(changed)), 0)
			if err != nil {
				continue // a length or the type of a field
			}
			_, other, ok := e.Nonce()
			if in := tt.from <= i && i < tt.to; ok && len(other) == len(nonce) && bytes.Equal(other, nonce) == in {
				t.Errorf("%s: byte %d: nonce %x, was %x", tt.name, i, other, nonce)
			}
		}
	}
}

// checkNonce checks that the slices of Nonce are parts of the value, for which err is the
// error of Parse, and that a value that is whole has a nonce.
func checkNonce(t testing.TB, stored []byte, e Envelope, err error) {
	t.Helper()
	dek, nonce, ok := e.Nonce()
	if err == nil && ok != (e.Provider != Identity) {
		t.Fatalf("%q: nonce %x, %v", stored, nonce, ok)
	}
	if !ok {
		if dek != nil || nonce != nil {
			t.Fatalf("%q: %x, %x, and it has none", stored, dek, nonce)
		}
		return
	}
	if len(nonce) == 0 || cap(nonce) != len(nonce) || cap(dek) != len(dek) {
		t.Fatalf("%q: slices with room behind them", stored)
	}
	for _, part := range [][]byte{dek, nonce} {
		if !inside(stored, part) {
			t.Fatalf("%q: %x is no part of it", stored, part)
		}
	}
}

// inside reports whether part lies in b. It turns over a byte of part to see it in b.
func inside(b, part []byte) bool {
	for i := range part {
		before := bytes.Clone(b)
		part[i] ^= 0xff
		same := bytes.Equal(before, b)
		part[i] ^= 0xff
		if same {
			return false
		}
	}
	return true
}

func TestNonceDoesNotAllocate(t *testing.T) {
	e := must(Parse([]byte("k8s:enc:kms:v2:vault:"+kms2), 0))
	if n := testing.AllocsPerRun(100, func() { e.Nonce() }); n != 0 {
		t.Errorf("it allocates %v times", n)
	}
}

func FuzzNonce(f *testing.F) {
	for _, value := range []string{
		"", "k8s\x00\x0a\x00", enc, enc + "rot13:v1:a:x", enc + "aescbc:v1:a:" + cbc48, enc + "aesgcm:v1:a:" + gcm40,
		enc + "secretbox:v1:a:" + secretbox4, enc + "kms:v1:a:" + kms1, enc + "kms:v2:a:" + kms2, enc + "kms:v2:a:" + kms2[:len(kms2)-2],
		enc + "kms:v1:a:\x00\x00", enc + "kms:v2:a:\x28\x01\x0a\x2b" + strings.Repeat("x", 43),
	} {
		f.Add([]byte(value))
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		e, err := Parse(value, 7)
		checkNonce(t, value, e, err)
	})
}
