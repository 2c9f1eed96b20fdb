package envelope

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/etcdsift/etcdsift/decode"
	"github.com/etcdsift/etcdsift/fixtures/alloc"
	"github.com/etcdsift/etcdsift/fixtures/stored"
)

// Ciphertexts that hold no colon, so that a test says where its colons are.
var (
	cbc48      = strings.Repeat("\x81", 48)
	gcm40      = strings.Repeat("\x82", 40)
	secretbox4 = strings.Repeat("\x83", 24+16+4)
	dek        = strings.Repeat("\x84", 20)
	kms1       = "\x00\x14" + dek + gcm40
	kms1long   = kms1 + strings.Repeat("\x82", 0x2020+27-1-len(kms1))
	kms2       = "\x0a\x3c" + strings.Repeat("\x85", 60) + "\x12\x05kek-1" + "\x1a\x14" + dek + "\x28\x01"
)

func TestParse(t *testing.T) {
	b := func(s string) []byte { return []byte(s) }
	identity := func(s string, e Encoding) Envelope {
		return Envelope{Provider: Identity, Payload: b(s), Encoding: e}
	}
	envelope := func(p Provider, version, name, payload string) Envelope {
		return Envelope{Provider: p, Version: b(version), KeyName: b(name), Payload: b(payload)}
	}
	more := func(e Envelope, name string) Envelope {
		e.MoreName = []byte(name)
		return e
	}
	v1 := func(name, payload string, n int) Envelope {
		e := envelope(KMSv1, "v1", name, payload)
		e.DEKLen = n
		return e
	}
	v2 := func(name, payload string, o EncryptedObject) Envelope {
		e := envelope(KMSv2, "v2", name, payload)
		o.Raw = b(payload)
		e.Object = o
		return e
	}
	whole := EncryptedObject{
		EncryptedData: bytes.Repeat(b("\x85"), 60), KeyID: b("kek-1"), DEKSource: b(dek), DEKSourceType: HKDFSHA256Seed,
	}

	tests := []struct {
		name  string
		value string
		want  Envelope
		err   error
	}{
		{"empty", "", identity("", Other), nil},
		{"protobuf", "k8s\x00\x0a\x00", identity("k8s\x00\x0a\x00", Protobuf), nil},
		{"json", `{"a":1}`, identity(`{"a":1}`, JSON), nil},
		{"json behind white space", "\r\n\t {}", identity("\r\n\t {}", JSON), nil},
		{"json array", "[]", identity("[]", Other), nil},
		{"cbor", "\xd9\xd9\xf7\xa0", identity("\xd9\xd9\xf7\xa0", CBOR), nil},
		{"cbor magic cut", "\xd9\xd9", identity("\xd9\xd9", Other), nil},
		{"another k8s magic", "k8s\x01", identity("k8s\x01", Other), nil},
		{"start of the prefix", "k8s:en", identity("k8s:en", Other), nil},
		{"all of the prefix but its colon", "k8s:enc", identity("k8s:enc", Other), nil},
		{"prefix in upper case", "K8S:ENC:aescbc:v1:k:" + cbc48, identity("K8S:ENC:aescbc:v1:k:"+cbc48, Other), nil},
		{"prefix behind a space", " k8s:enc:", identity(" k8s:enc:", Other), nil},

		{"aescbc", "k8s:enc:aescbc:v1:key1:" + cbc48, envelope(AESCBC, "v1", "key1", cbc48), nil},
		{"aescbc, one block", "k8s:enc:aescbc:v1:k:" + cbc48[:32], envelope(AESCBC, "v1", "k", cbc48[:32]), nil},
		{"aescbc, IV only", "k8s:enc:aescbc:v1:k:" + cbc48[:16], envelope(AESCBC, "v1", "k", cbc48[:16]), decode.ErrTruncated},
		{"aescbc, nothing", "k8s:enc:aescbc:v1:k:", envelope(AESCBC, "v1", "k", ""), decode.ErrTruncated},
		{"aescbc, last byte lost", "k8s:enc:aescbc:v1:k:" + cbc48[:47], envelope(AESCBC, "v1", "k", cbc48[:47]), decode.ErrValue},
		{"aescbc, colon in the name", "k8s:enc:aescbc:v1:a:b:" + cbc48, envelope(AESCBC, "v1", "a:b", cbc48), nil},
		{"aescbc, colons around the name", "k8s:enc:aescbc:v1::ab::" + cbc48, envelope(AESCBC, "v1", ":ab:", cbc48), nil},
		{"aescbc, colon in the ciphertext", "k8s:enc:aescbc:v1:k::" + cbc48[:47], envelope(AESCBC, "v1", "k", ":"+cbc48[:47]), nil},
		{"aescbc, colon in a cut ciphertext", "k8s:enc:aescbc:v1:k:\x81:" + cbc48, envelope(AESCBC, "v1", "k", "\x81:"+cbc48), decode.ErrValue},
		{"aescbc, colon in front of a name of a block", "k8s:enc:aescbc:v1::fifteen letters:" + cbc48, envelope(AESCBC, "v1", ":fifteen letters", cbc48), nil},
		{"aescbc, name in Greek", "k8s:enc:aescbc:v1:κ:λ:" + cbc48, envelope(AESCBC, "v1", "κ:λ", cbc48), nil},
		{"aescbc, tab in the name", "k8s:enc:aescbc:v1:a\tb:" + cbc48, envelope(AESCBC, "v1", "a\tb", cbc48), nil},
		{"aescbc, empty name", "k8s:enc:aescbc:v1::" + cbc48, envelope(AESCBC, "v1", "", cbc48), decode.ErrValue},

		{"aesgcm", "k8s:enc:aesgcm:v1:key1:" + gcm40, envelope(AESGCM, "v1", "key1", gcm40), nil},
		{"aesgcm, empty plaintext", "k8s:enc:aesgcm:v1:k:" + gcm40[:28], envelope(AESGCM, "v1", "k", gcm40[:28]), nil},
		{"aesgcm, tag cut", "k8s:enc:aesgcm:v1:k:" + gcm40[:27], envelope(AESGCM, "v1", "k", gcm40[:27]), decode.ErrTruncated},
		{"aesgcm, colon in the name", "k8s:enc:aesgcm:v1:a:b:" + gcm40, more(envelope(AESGCM, "v1", "a", "b:"+gcm40), "b"), nil},
		{"secretbox, a name by the time", "k8s:enc:secretbox:v1:box-2026-03-09T11:02:10Z:" + secretbox4,
			more(envelope(Secretbox, "v1", "box-2026-03-09T11", "02:10Z:"+secretbox4), "02:10Z"), nil},
		{"secretbox, a name by local time", "k8s:enc:secretbox:v1:box-2026-03-09T11:02:10+01:00:" + secretbox4,
			more(envelope(Secretbox, "v1", "box-2026-03-09T11", "02:10+01:00:"+secretbox4), "02:10+01:00"), nil},
		{"aesgcm, a colon behind the text", "k8s:enc:aesgcm:v1:a:b\x81:" + gcm40, envelope(AESGCM, "v1", "a", "b\x81:"+gcm40), nil},
		{"aesgcm, more colons than any name has", "k8s:enc:aesgcm:v1:a:" + strings.Repeat("b:", 20) + gcm40,
			more(envelope(AESGCM, "v1", "a", strings.Repeat("b:", 20)+gcm40), strings.Repeat("b:", 7)+"b"), nil},
		{"aesgcm, two colons", "k8s:enc:aesgcm:v1:a::" + gcm40, more(envelope(AESGCM, "v1", "a", ":"+gcm40), ""), nil},
		{"aesgcm, no payload behind the last colon", "k8s:enc:aesgcm:v1:a:b:c:" + gcm40[:27], more(envelope(AESGCM, "v1", "a", "b:c:"+gcm40[:27]), "b"), nil},
		{"aescbc, two colons that fit", "k8s:enc:aescbc:v1:a:fifteen letters:" + cbc48, more(envelope(AESCBC, "v1", "a", "fifteen letters:"+cbc48), "fifteen letters"), nil},
		{"aesgcm, empty name", "k8s:enc:aesgcm:v1::" + gcm40, envelope(AESGCM, "v1", "", gcm40), decode.ErrValue},

		{"secretbox", "k8s:enc:secretbox:v1:key1:" + secretbox4, envelope(Secretbox, "v1", "key1", secretbox4), nil},
		{"secretbox, empty plaintext", "k8s:enc:secretbox:v1:k:" + secretbox4[:40], envelope(Secretbox, "v1", "k", secretbox4[:40]), nil},
		{"secretbox, tag cut", "k8s:enc:secretbox:v1:k:" + secretbox4[:39], envelope(Secretbox, "v1", "k", secretbox4[:39]), decode.ErrTruncated},

		{"kms v1", "k8s:enc:kms:v1:vault:" + kms1, v1("vault", kms1, 20), nil},
		{"kms v1, colon in the name", "k8s:enc:kms:v1:a:b:" + kms1, v1("a:b", kms1, 20), nil},
		// The two spaces in this name are the length of a DEK, behind which 27 bytes are left.
		{"kms v1, name like a length", "k8s:enc:kms:v1:a:  :" + kms1long, v1("a:  ", kms1long, 20), nil},
		{"kms v1, no length", "k8s:enc:kms:v1:p:\x00", v1("p", "\x00", 0), decode.ErrTruncated},
		{"kms v1, length past the end", "k8s:enc:kms:v1:p:\x00\x15" + dek, v1("p", "\x00\x15"+dek, 21), decode.ErrBounds},
		{"kms v1, nothing behind the DEK", "k8s:enc:kms:v1:p:\x00\x14" + dek, v1("p", "\x00\x14"+dek, 20), decode.ErrTruncated},
		{"kms v1, ciphertext cut", "k8s:enc:kms:v1:p:" + kms1[:2+20+27], v1("p", kms1[:2+20+27], 20), decode.ErrTruncated},
		{"kms v1, empty DEK", "k8s:enc:kms:v1:p:\x00\x00" + gcm40, v1("p", "\x00\x00"+gcm40, 0), decode.ErrValue},

		{"kms v2", "k8s:enc:kms:v2:vault:" + kms2, v2("vault", kms2, whole), nil},
		{"kms v2, colon ends the name", "k8s:enc:kms:v2:a:b:" + kms2, v2("a", "b:"+kms2, EncryptedObject{}), decode.ErrValue},
		{"kms v2, empty name", "k8s:enc:kms:v2::" + kms2, envelope(KMSv2, "v2", "", kms2), decode.ErrValue},
		{"kms v2, nothing", "k8s:enc:kms:v2:p:", v2("p", "", EncryptedObject{}), decode.ErrValue},
		{"kms v2, text", "k8s:enc:kms:v2:p:{}", v2("p", "{}", EncryptedObject{}), decode.ErrTruncated},

		{"prefix alone", "k8s:enc:", Envelope{}, decode.ErrTruncated},
		{"cut in the provider", "k8s:enc:aesc", Envelope{}, decode.ErrTruncated},
		{"cut behind the provider", "k8s:enc:kms", Envelope{}, decode.ErrTruncated},
		{"cut in the version", "k8s:enc:secretbox:v", Envelope{}, decode.ErrTruncated},
		{"cut behind the version", "k8s:enc:kms:v2", Envelope{}, decode.ErrTruncated},
		{"no name", "k8s:enc:aescbc:v1:", Envelope{}, decode.ErrTruncated},
		{"cut in the name", "k8s:enc:aescbc:v1:ke", Envelope{}, decode.ErrTruncated},

		{"unknown provider", "k8s:enc:rot13:v1:key1:frperg", Envelope{Version: b("v1"), KeyName: b("key1"), Payload: b("frperg")}, decode.ErrUnknown},
		{"unknown version", "k8s:enc:aescbc:v2:key1:x", Envelope{Version: b("v2"), KeyName: b("key1"), Payload: b("x")}, decode.ErrUnknown},
		{"unknown kms version", "k8s:enc:kms:v3:p:x", Envelope{Version: b("v3"), KeyName: b("p"), Payload: b("x")}, decode.ErrUnknown},
		{"unknown, no name", "k8s:enc:rot13:v1:key1", Envelope{Version: b("v1"), Payload: b("key1")}, decode.ErrUnknown},
		{"unknown, empty name", "k8s:enc:rot13:v1::x", Envelope{Version: b("v1"), Payload: b(":x")}, decode.ErrUnknown},
		{"unknown, unprintable name", "k8s:enc:rot13:v1:\x00:x", Envelope{Version: b("v1"), Payload: b("\x00:x")}, decode.ErrUnknown},
		{"unknown, no version", "k8s:enc:rot13:key1:x", Envelope{Payload: b("key1:x")}, decode.ErrUnknown},
		{"unknown, one word", "k8s:enc:rot13", Envelope{Payload: b("rot13")}, decode.ErrUnknown},
		{"unknown, no provider", "k8s:enc::v1:key1:x", Envelope{Payload: b(":v1:key1:x")}, decode.ErrUnknown},
		{"provider in upper case", "k8s:enc:AESCBC:v1:k:" + cbc48, Envelope{Payload: b("AESCBC:v1:k:" + cbc48)}, decode.ErrUnknown},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Parse([]byte(tt.value), 0x1000)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("Parse (-want +got):\n%s", diff)
			}
			stored.CheckError(t, err, tt.err, 0x1000, len(tt.value))
		})
	}
}

// A value cut anywhere is identity within the first eight bytes, then cut in
// the prefix, then of its provider with a payload that is short.
func TestParseCutAtEveryByte(t *testing.T) {
	for prefix, payload := range map[string]string{
		"k8s:enc:aescbc:v1:key1:":    cbc48[:32],
		"k8s:enc:aesgcm:v1:key1:":    gcm40[:28],
		"k8s:enc:secretbox:v1:key1:": secretbox4[:40],
		"k8s:enc:kms:v1:vault:":      kms1[:2+20+28],
		"k8s:enc:kms:v2:vault:":      kms2[:len(kms2)-2], // a cut in an optional last field is none
	} {
		whole := []byte(prefix + payload)
		provider := must(Parse(whole, 0)).Provider
		for n := range whole {
			e, err := Parse(whole[:n], 0)
			switch {
			case n < len(enc):
				if e.Provider != Identity || err != nil {
					t.Errorf("%q: %v, %v, want identity", whole[:n], e.Provider, err)
				}
			case n < len(prefix):
				if !errors.Is(err, decode.ErrTruncated) || !cmp.Equal(e, Envelope{}) {
					t.Errorf("%q: %+v, %v, want cut in the prefix", whole[:n], e, err)
				}
			default:
				if err == nil || e.Provider != provider || string(e.KeyName)+":" != prefix[len(prefix)-len(e.KeyName)-1:] {
					t.Errorf("%q: %v %q, %v, want %v and an error", whole[:n], e.Provider, e.KeyName, err, provider)
				}
			}
			stored.CheckError(t, err, err, 0, n)
		}
	}
}

func must(e Envelope, err error) Envelope {
	if err != nil {
		panic(err)
	}
	return e
}

func TestParseDoesNotAllocate(t *testing.T) {
	for _, value := range []string{
		"k8s\x00\x0a", "{}", "\xd9\xd9\xf7\xa0", "text",
		"k8s:enc:aescbc:v1:key1:" + cbc48, "k8s:enc:aescbc:v1:a:b:" + cbc48,
		"k8s:enc:aesgcm:v1:key1:" + gcm40, "k8s:enc:secretbox:v1:key1:" + secretbox4,
		"k8s:enc:kms:v1:a:b:" + kms1, "k8s:enc:kms:v2:vault:" + kms2,
		"k8s:enc:kms:v2:vault:" + kms2 + "\x22\x0f\x0a\x0bexample.com\x12\x00",
	} {
		b := []byte(value)
		must(Parse(b, 0))
		if n := testing.AllocsPerRun(100, func() { Parse(b, 0) }); n != 0 {
			t.Errorf("Parse(%q) allocates %v times", value, n)
		}
	}
}

func TestStrings(t *testing.T) {
	var got []string
	for p := Unknown; p <= KMSv2+1; p++ {
		got = append(got, p.String())
	}
	for e := None; e <= Other; e++ {
		got = append(got, e.String())
	}
	for d := AESGCMKey; d <= 2; d++ {
		got = append(got, d.String())
	}
	want := []string{
		"unknown", "identity", "aescbc", "aesgcm", "secretbox", "kms-v1", "kms-v2", "unknown",
		"", "protobuf", "json", "cbor", "other",
		"aes-gcm-key", "hkdf-sha256-seed", "unknown-2",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What Parse says of any value: the parts are parts of it, in their order.
func checkParse(t testing.TB, value []byte) {
	t.Helper()
	e, err := Parse(value, 7)
	stored.CheckError(t, err, err, 7, len(value))
	if !bytes.HasSuffix(value, e.Payload) {
		t.Fatalf("payload %q is no tail of %q", e.Payload, value)
	}
	prefix := string(value[:len(value)-len(e.Payload)])
	switch e.Provider {
	case Identity:
		if prefix != "" || err != nil || e.Encoding == None || bytes.HasPrefix(value, []byte(enc)) {
			t.Fatalf("identity %+v, %v of %q", e, err, value)
		}
	case Unknown:
		if err == nil || !bytes.HasPrefix(value, []byte(enc)) || e.Encoding != None {
			t.Fatalf("unknown %+v without an error, of %q", e, value)
		}
	default:
		name := map[Provider]string{AESCBC: "aescbc", AESGCM: "aesgcm", Secretbox: "secretbox", KMSv1: "kms", KMSv2: "kms"}[e.Provider]
		if want := enc + name + ":" + string(e.Version) + ":" + string(e.KeyName) + ":"; prefix != want {
			t.Fatalf("prefix %q, want %q", prefix, want)
		}
	}
	again, errAgain := Parse(value, 7)
	if !cmp.Equal(e, again) || (err == nil) != (errAgain == nil) {
		t.Fatalf("second Parse: %+v, %v; first %+v, %v", again, errAgain, e, err)
	}
	if e.Provider != Unknown {
		checkAliases(t, value, e)
	}
}

// checkAliases turns over every byte of the value: if the envelope's slices
// alias it they turn over with it, and lie inside it.
func checkAliases(t testing.TB, value []byte, e Envelope) {
	t.Helper()
	flipped := bytes.Clone(value)
	e, _ = Parse(flipped, 0)
	slices := [][]byte{e.Payload, e.KeyName, e.Version, e.Object.EncryptedData, e.Object.KeyID, e.Object.DEKSource}
	for name, content := range e.Object.Annotations() {
		slices = append(slices, name, content)
	}
	before := make([][]byte, len(slices))
	for i, s := range slices {
		before[i] = bytes.Clone(s)
		if cap(s) != len(s) {
			t.Fatalf("slice %d has room behind it", i)
		}
	}
	for i := range flipped {
		flipped[i] ^= 0xff
	}
	for i, s := range slices {
		for j := range s {
			if s[j] != before[i][j]^0xff {
				t.Fatalf("slice %d of %+v is no part of the value", i, e)
			}
		}
	}
}

func TestParseAnything(t *testing.T) {
	prefixes := rapid.SampledFrom([]string{
		"", "k8s\x00", "k8s:en", enc, enc + "kms:v3:", enc + "aescbc:v1:", enc + "aesgcm:v1:", enc + "secretbox:v1:",
		enc + "kms:v1:", enc + "kms:v2:", enc + "aescbc:v1:key:", enc + "kms:v1:p:\x00\x08", enc + "kms:v2:p:\x0a",
	})
	rapid.Check(t, func(rt *rapid.T) {
		value := append([]byte(prefixes.Draw(rt, "prefix")), rapid.SliceOf(rapid.Byte()).Draw(rt, "rest")...)
		checkParse(t, value)
	})
}

// A name that the API server accepts comes back, wherever the layout can tell.
func TestParseFindsTheName(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		plain := rapid.StringMatching(`[ -9;-~]{1,20}`).Draw(rt, "name without a colon")
		odd := rapid.StringMatching(`[!-~]{1,20}`).Draw(rt, "name")
		blocks := rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(rt, "block")
		payload := bytes.Repeat(blocks, rapid.IntRange(2, 5).Draw(rt, "blocks"))

		for _, provider := range []string{"aescbc", "aesgcm", "secretbox"} {
			e, err := Parse([]byte(enc+provider+":v1:"+plain+":"+string(payload)+string(payload)), 0)
			if err != nil || string(e.KeyName) != plain {
				rt.Fatalf("%s: name %q, %v, want %q", provider, e.KeyName, err, plain)
			}
		}
		e, err := Parse([]byte(enc+"aescbc:v1:"+odd+":"+string(payload)), 0)
		// A part of a name may fill whole blocks by itself.
		if err != nil || len(e.KeyName) < len(odd)-16 || !strings.HasPrefix(odd, string(e.KeyName)) {
			rt.Fatalf("name %q, %v, want %q", e.KeyName, err, odd)
		}
	})
}

// An envelope is cut out of its value, and not copied; an error has a text.
var envelopeBound = alloc.Bound{Fixed: 1 << 10}

func FuzzParse(f *testing.F) {
	for _, value := range []string{
		"", "k8s\x00\x0a\x00", `{"kind":"Secret"}`, "\xd9\xd9\xf7\xa0", "k8s:en", enc, enc + "rot13:v1:key1:x",
		enc + "aescbc:v1:key1:" + cbc48, enc + "aescbc:v1:a:b:" + cbc48, enc + "aesgcm:v1:key1:" + gcm40,
		enc + "secretbox:v1:key1:" + secretbox4, enc + "kms:v1:vault:" + kms1, enc + "kms:v2:vault:" + kms2,
		enc + "kms:v2:vault:" + kms2 + "\x22\x0f\x0a\x0bexample.com\x12\x00",
	} {
		f.Add([]byte(value))
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		checkParse(t, value)
		envelopeBound.Check(t, len(value), func() {
			e, _ := Parse(value, 7)
			e.Nonce()
		})
	})
}
