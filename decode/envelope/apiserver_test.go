package envelope

// The second witness: values that the API server's own code has written, and
// its own verdict on those it would read.

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"maps"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"k8s.io/apiserver/pkg/storage/value"
	aestransformer "k8s.io/apiserver/pkg/storage/value/encrypt/aes"
	kmsv1 "k8s.io/apiserver/pkg/storage/value/encrypt/envelope"
	"k8s.io/apiserver/pkg/storage/value/encrypt/envelope/kmsv2"
	kmstypes "k8s.io/apiserver/pkg/storage/value/encrypt/envelope/kmsv2/v2"
	"k8s.io/apiserver/pkg/storage/value/encrypt/identity"
	"k8s.io/apiserver/pkg/storage/value/encrypt/secretbox"
	kmsservice "k8s.io/kms/pkg/service"
	"pgregory.net/rapid"

	"github.com/etcdsift/etcdsift/decode"
)

const etcdKey = "/registry/secrets/default/db"

// store writes data as the API server does: below the prefix of its provider.
func store(t testing.TB, prefix string, tr value.Transformer, data []byte) []byte {
	t.Helper()
	prefixed := value.NewPrefixTransformers(nil, value.PrefixTransformer{Prefix: []byte(prefix), Transformer: tr})
	stored, err := prefixed.TransformToStorage(context.Background(), data, value.DefaultContext(etcdKey))
	if err != nil {
		t.Fatal(err)
	}
	return stored
}

func block(t testing.TB) cipher.Block {
	t.Helper()
	b, err := aes.NewCipher(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func gcm(t testing.TB, b cipher.Block) value.Transformer {
	t.Helper()
	tr, err := aestransformer.NewGCMTransformer(b)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func TestParseValuesOfTheAPIServer(t *testing.T) {
	newGCM := func(b cipher.Block) (value.Transformer, error) { return aestransformer.NewGCMTransformer(b) }
	newCBC := func(b cipher.Block) (value.Transformer, error) { return aestransformer.NewCBCTransformer(b), nil }
	for _, p := range []struct {
		prefix      string
		transformer value.Transformer
		want        Envelope
		overhead    int // of the payload over the data, blocks aside
	}{
		{enc + "aescbc:v1:key1:", aestransformer.NewCBCTransformer(block(t)), Envelope{Provider: AESCBC, Version: []byte("v1"), KeyName: []byte("key1")}, 16},
		{enc + "aescbc:v1:a:b:", aestransformer.NewCBCTransformer(block(t)), Envelope{Provider: AESCBC, Version: []byte("v1"), KeyName: []byte("a:b")}, 16},
		{enc + "aesgcm:v1:key 1:", gcm(t, block(t)), Envelope{Provider: AESGCM, Version: []byte("v1"), KeyName: []byte("key 1")}, 28},
		{enc + "secretbox:v1:key1:", secretbox.NewSecretboxTransformer([32]byte{7}), Envelope{Provider: Secretbox, Version: []byte("v1"), KeyName: []byte("key1")}, 40},
		{enc + "kms:v1:vault:", kmsv1.NewEnvelopeTransformer(xorV1{}, 0, newGCM), Envelope{Provider: KMSv1, Version: []byte("v1"), KeyName: []byte("vault"), DEKLen: 40}, 2 + 40 + 28},
		{enc + "kms:v1:old:vault:", kmsv1.NewEnvelopeTransformer(xorV1{}, 0, newCBC), Envelope{Provider: KMSv1, Version: []byte("v1"), KeyName: []byte("old:vault"), DEKLen: 40}, 2 + 40 + 16},
	} {
		t.Run(p.prefix, func(t *testing.T) {
			for n := range 70 {
				stored := store(t, p.prefix, p.transformer, bytes.Repeat([]byte{':'}, n))
				got, err := Parse(stored, 0)
				want := p.want
				want.Payload = stored[len(p.prefix):]
				checkMore(t, got)
				got.MoreName = nil // a nonce may start like the rest of a name
				if diff := cmp.Diff(want, got); diff != "" || err != nil {
					t.Fatalf("%d bytes of data (-want +got):\n%s%v", n, diff, err)
				}
				if over := len(got.Payload) - n; over < p.overhead || over > p.overhead+blockSize {
					t.Errorf("payload is %d bytes longer than the data, want %d", over, p.overhead)
				}
			}
		})
	}
	stored := store(t, "", identity.NewEncryptCheckTransformer(), []byte("k8s\x00data"))
	want := Envelope{Provider: Identity, Payload: []byte("k8s\x00data"), Encoding: Protobuf}
	if got, err := Parse(stored, 0); err != nil || !cmp.Equal(want, got) {
		t.Errorf("identity: %+v, %v", got, err)
	}
}

func TestParseKMSv2OfTheAPIServer(t *testing.T) {
	for name, seed := range map[string]bool{"seed": true, "key": false} {
		t.Run(name, func(t *testing.T) {
			tr, o, cacheKey, err := kmsv2.GenerateTransformer(context.Background(), "uid", xorV2{}, seed)
			if err != nil {
				t.Fatal(err)
			}
			state := func() (kmsv2.State, error) {
				return kmsv2.State{
					Transformer: tr, EncryptedObjectKeyID: o.KeyID, EncryptedObjectEncryptedDEKSource: o.EncryptedDEKSource,
					EncryptedObjectAnnotations: o.Annotations, EncryptedObjectEncryptedDEKSourceType: o.EncryptedDEKSourceType,
					ExpirationTimestamp: time.Now().Add(time.Hour), CacheKey: cacheKey,
				}, nil
			}
			prefix := enc + "kms:v2:vault:"
			for _, n := range []int{0, 1, 100, 100_000} {
				stored := store(t, prefix, kmsv2.NewEnvelopeTransformer(xorV2{}, "vault", state, "id"), make([]byte, n))
				got, err := Parse(stored, 0)
				if err != nil {
					t.Fatal(err)
				}
				if got.Provider != KMSv2 || string(got.KeyName) != "vault" || string(got.Version) != "v2" || string(got.Payload) != string(stored[len(prefix):]) {
					t.Errorf("%d bytes of data: %+v", n, got)
				}
				compareObject(t, got.Payload, got.Object, nil)
				if string(got.Object.KeyID) != "kek-7" || (got.Object.DEKSourceType == HKDFSHA256Seed) != seed {
					t.Errorf("%d bytes of data: %v, key %q", n, got.Object.DEKSourceType, got.Object.KeyID)
				}
			}
		})
	}
}

// compareObject decodes the message as the API server does, and compares its
// fields, and its verdict, with ours.
func compareObject(t testing.TB, message []byte, got EncryptedObject, err error) {
	t.Helper()
	var want kmstypes.EncryptedObject
	if e := proto.Unmarshal(message, &want); e != nil {
		if err == nil {
			t.Fatalf("%x accepted; API server: %v", message, e)
		}
		return
	}
	if e := kmsv2.ValidateEncryptedObject(&want); (e == nil) != (err == nil) {
		short := len(want.EncryptedData) < minGCM || want.EncryptedDEKSourceType == 1 && len(want.EncryptedData) < minGCM+infoSize
		if e != nil || !errors.Is(err, decode.ErrTruncated) || !short {
			t.Fatalf("%x: %v; API server: %v", message, err, e)
		}
	}
	if err != nil && (errors.Is(err, decode.ErrValue) || errors.Is(err, decode.ErrUnknown)) {
		return // it may have ended there
	}
	annotations := map[string][]byte{}
	for name, content := range got.Annotations() {
		annotations[string(name)] = content
	}
	if !bytes.Equal(got.EncryptedData, want.EncryptedData) || string(got.KeyID) != want.KeyID ||
		!bytes.Equal(got.DEKSource, want.EncryptedDEKSource) || int32(got.DEKSourceType) != int32(want.EncryptedDEKSourceType) ||
		!maps.EqualFunc(annotations, want.Annotations, bytes.Equal) {
		t.Fatalf("%x: %+v, annotations %v; API server: %v", message, got, annotations, &want)
	}
}

func TestEncryptedObjectLikeTheAPIServer(t *testing.T) {
	domain := rapid.OneOf(
		rapid.StringMatching(`[a-z0-9-]{1,8}(\.[a-z0-9-]{1,8}){0,3}\.?`), rapid.String(),
		rapid.Just("a."+string(bytes.Repeat([]byte{'b'}, 63))), rapid.Just("a."+string(bytes.Repeat([]byte{'b'}, 64))))
	bytesOf := func(max int) *rapid.Generator[[]byte] {
		return rapid.Map(rapid.IntRange(0, max), func(n int) []byte { return bytes.Repeat([]byte{0x81}, n) })
	}
	rapid.Check(t, func(rt *rapid.T) {
		message, err := proto.Marshal(&kmstypes.EncryptedObject{
			EncryptedData:          bytesOf(80).Draw(rt, "data"),
			KeyID:                  rapid.OneOf(rapid.StringN(0, 20, -1), rapid.Just(string(bytes.Repeat([]byte{'k'}, 1025)))).Draw(rt, "keyID"),
			EncryptedDEKSource:     bytesOf(1100).Draw(rt, "dek"),
			Annotations:            rapid.MapOfN(domain, bytesOf(20_000), 0, 3).Draw(rt, "annotations"),
			EncryptedDEKSourceType: kmstypes.EncryptedDEKSourceType(rapid.Int32Range(-1, 2).Draw(rt, "type")),
		})
		if err != nil {
			rt.Skip() // a string that is not UTF-8
		}
		o, err := ParseEncryptedObject(message, 0)
		compareObject(t, message, o, err)
	})
}

// Messages that no encoder writes: fields in any order, repeated, of other wire
// types, with groups and unknown fields between them, and damaged.
func TestEncryptedObjectOfAnyFields(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		message := valid(t)
		for range rapid.IntRange(0, 6).Draw(rt, "fields") {
			num := protowire.Number(rapid.SampledFrom([]int{1, 2, 3, 4, 5, 6, 1 << 20}).Draw(rt, "number"))
			content := rapid.SliceOfN(rapid.Byte(), 0, 64).Draw(rt, "content")
			switch typ := protowire.Type(rapid.IntRange(0, 5).Draw(rt, "type")); typ {
			case protowire.VarintType:
				message = protowire.AppendVarint(protowire.AppendTag(message, num, typ), rapid.Uint64().Draw(rt, "varint"))
			case protowire.BytesType:
				message = protowire.AppendBytes(protowire.AppendTag(message, num, typ), content)
			case protowire.StartGroupType:
				message = protowire.AppendTag(protowire.AppendTag(message, num, typ), num, protowire.EndGroupType)
			default:
				message = append(protowire.AppendTag(message, num, typ), content...)
			}
		}
		if rapid.Bool().Draw(rt, "damage") {
			message[rapid.IntRange(0, len(message)-1).Draw(rt, "at")] ^= byte(rapid.IntRange(1, 255).Draw(rt, "by"))
		}
		message = message[:rapid.IntRange(0, len(message)).Draw(rt, "length")]
		o, err := ParseEncryptedObject(message, 0)
		compareObject(t, message, o, err)
	})
}

func valid(t testing.TB) []byte {
	t.Helper()
	message, err := proto.Marshal(&kmstypes.EncryptedObject{
		EncryptedData: make([]byte, 60), KeyID: "kek", EncryptedDEKSource: []byte("dek"),
		Annotations: map[string][]byte{"a.example.com": []byte("x")},
	})
	if err != nil {
		t.Fatal(err)
	}
	return message
}

// xorV1 and xorV2 are KMS plugins that keep nobody from reading anything.
type xorV1 struct{}

func (xorV1) Encrypt(data []byte) ([]byte, error) { return append(xor(data), "wrapped:"...), nil }
func (xorV1) Decrypt(data []byte) ([]byte, error) { return xor(data[:len(data)-8]), nil }

type xorV2 struct{}

func (xorV2) Encrypt(_ context.Context, _ string, data []byte) (*kmsservice.EncryptResponse, error) {
	return &kmsservice.EncryptResponse{
		Ciphertext: xor(data), KeyID: "kek-7",
		Annotations: map[string][]byte{"version.plugin.example.com": {1}, "empty.example.com": {}},
	}, nil
}

func (xorV2) Decrypt(_ context.Context, _ string, r *kmsservice.DecryptRequest) ([]byte, error) {
	return xor(r.Ciphertext), nil
}

func (xorV2) Status(context.Context) (*kmsservice.StatusResponse, error) {
	return &kmsservice.StatusResponse{Version: "v2", Healthz: "ok", KeyID: "kek-7"}, nil
}

func xor(data []byte) []byte {
	out := bytes.Clone(data)
	for i := range out {
		out[i] ^= 0x55
	}
	return out
}
