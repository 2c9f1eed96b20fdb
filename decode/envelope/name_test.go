package envelope

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/etcdsift/etcdsift/decode"
	"github.com/etcdsift/etcdsift/fixtures/stored"
)

func TestPrefix(t *testing.T) {
	for _, tt := range []struct {
		provider Provider
		name     string
		want     string
	}{
		{AESCBC, "key1", "k8s:enc:aescbc:v1:key1:"},
		{AESGCM, "a:b", "k8s:enc:aesgcm:v1:a:b:"},
		{Secretbox, "", "k8s:enc:secretbox:v1::"},
		{KMSv1, "vault", "k8s:enc:kms:v1:vault:"},
		{KMSv2, "vault", "k8s:enc:kms:v2:vault:"},
		{Identity, "", ""},
		{Identity, "key1", ""},
		{Unknown, "key1", ""},
		{KMSv2 + 1, "key1", ""},
	} {
		if got := Prefix(tt.provider, tt.name); got != tt.want {
			t.Errorf("Prefix(%v, %q) = %q, want %q", tt.provider, tt.name, got, tt.want)
		}
	}
}

func TestParseNamed(t *testing.T) {
	envelope := func(p Provider, version, name, payload string) Envelope {
		return Envelope{Provider: p, Version: []byte(version), KeyName: []byte(name), Payload: []byte(payload)}
	}
	v1 := func(name, payload string, n int) Envelope {
		e := envelope(KMSv1, "v1", name, payload)
		e.DEKLen = n
		return e
	}
	more := func(e Envelope, name string) Envelope {
		e.MoreName = []byte(name)
		return e
	}
	names := func(p Provider, of ...string) (out []Name) {
		for _, name := range of {
			out = append(out, Name{p, name})
		}
		return out
	}
	kek := EncryptedObject{EncryptedData: bytes.Repeat([]byte("\x85"), 60), KeyID: []byte("kek-1"), DEKSource: []byte(dek),
		DEKSourceType: HKDFSHA256Seed, Raw: []byte(kms2)}
	v2 := envelope(KMSv2, "v2", "vault", kms2)
	v2.Object = kek

	for _, tt := range []struct {
		name  string
		value string
		names []Name
		want  Envelope
		err   error
	}{
		{"no names", "k8s:enc:aesgcm:v1:a:b:" + gcm40, nil, more(envelope(AESGCM, "v1", "a", "b:"+gcm40), "b"), nil},
		{"another name", "k8s:enc:aesgcm:v1:a:b:" + gcm40, names(AESGCM, "b", "a:c"), more(envelope(AESGCM, "v1", "a", "b:"+gcm40), "b"), nil},
		{"the name", "k8s:enc:aesgcm:v1:a:b:" + gcm40, names(AESGCM, "a:b"), envelope(AESGCM, "v1", "a:b", gcm40), nil},
		{"that of another provider", "k8s:enc:aesgcm:v1:a:b:" + gcm40, names(AESCBC, "a:b"), more(envelope(AESGCM, "v1", "a", "b:"+gcm40), "b"), nil},
		{"the name that Parse finds", "k8s:enc:aesgcm:v1:a:b:" + gcm40, names(AESGCM, "a"), more(envelope(AESGCM, "v1", "a", "b:"+gcm40), "b"), nil},
		{"longest last", "k8s:enc:aesgcm:v1:a:b:" + gcm40, names(AESGCM, "a", "a:b"), envelope(AESGCM, "v1", "a:b", gcm40), nil},
		{"longest first", "k8s:enc:aesgcm:v1:a:b:" + gcm40, names(AESGCM, "a:b", "a"), envelope(AESGCM, "v1", "a:b", gcm40), nil},
		{"longest of three", "k8s:enc:aesgcm:v1:a:b:c:" + gcm40, names(AESGCM, "a:b", "a:b:c", "a"), envelope(AESGCM, "v1", "a:b:c", gcm40), nil},
		{"longest of those that fit", "k8s:enc:aesgcm:v1:a:b:c:" + gcm40, names(AESGCM, "a", "a:b", "a:b:c:d", "a:b:d"), more(envelope(AESGCM, "v1", "a:b", "c:"+gcm40), "c"), nil},
		{"a name twice", "k8s:enc:aesgcm:v1:a:b:" + gcm40, names(AESGCM, "a:b", "a:b"), envelope(AESGCM, "v1", "a:b", gcm40), nil},
		{"name without its colon", "k8s:enc:aesgcm:v1:ab:" + gcm40, names(AESGCM, "a"), envelope(AESGCM, "v1", "ab", gcm40), nil},
		{"name that is all of the value", "k8s:enc:aesgcm:v1:a:b", names(AESGCM, "a:b"), envelope(AESGCM, "v1", "a", "b"), decode.ErrTruncated},
		{"name that ends in a colon", "k8s:enc:aesgcm:v1:a::" + gcm40, names(AESGCM, "a:"), envelope(AESGCM, "v1", "a:", gcm40), nil},
		{"empty name", "k8s:enc:aesgcm:v1:a:" + gcm40, names(AESGCM, ""), envelope(AESGCM, "v1", "a", gcm40), nil},
		{"name of unprintable bytes", "k8s:enc:aesgcm:v1:a:\x01\xff:" + gcm40, names(AESGCM, "a:\x01\xff"), envelope(AESGCM, "v1", "a:\x01\xff", gcm40), nil},

		{"secretbox", "k8s:enc:secretbox:v1:a:b:" + secretbox4, names(Secretbox, "a:b"), envelope(Secretbox, "v1", "a:b", secretbox4), nil},
		{"aescbc, as its layout says", "k8s:enc:aescbc:v1:a:b:" + cbc48, names(AESCBC, "a:b"), envelope(AESCBC, "v1", "a:b", cbc48), nil},
		// "fifteen letters" and its colon are a block.
		{"aescbc, against its layout", "k8s:enc:aescbc:v1:a:fifteen letters:" + cbc48, names(AESCBC, "a:fifteen letters"), envelope(AESCBC, "v1", "a:fifteen letters", cbc48), nil},
		{"aescbc, shorter than its layout says", "k8s:enc:aescbc:v1:a:b:" + cbc48, names(AESCBC, "a"), envelope(AESCBC, "v1", "a:b", cbc48), nil},
		{"kms v1, as its layout says", "k8s:enc:kms:v1:a:b:" + kms1, names(KMSv1, "a:b"), v1("a:b", kms1, 20), nil},
		{"kms v1, against its layout", "k8s:enc:kms:v1:a:  :" + kms1long, names(KMSv1, "a"), v1("a:  ", kms1long, 20), nil},
		{"kms v1, the name", "k8s:enc:kms:v1:a:  :" + kms1long, names(KMSv1, "a:  "), v1("a:  ", kms1long, 20), nil},
		{"kms v2", "k8s:enc:kms:v2:vault:" + kms2, names(KMSv2, "vault", "other"), v2, nil},

		{"payload broken", "k8s:enc:aesgcm:v1:a:b:" + gcm40[:27], names(AESGCM, "a:b"), envelope(AESGCM, "v1", "a:b", gcm40[:27]), decode.ErrTruncated},
		{"payload broken in either case", "k8s:enc:aescbc:v1:a:b:" + cbc48[:47], names(AESCBC, "a:b"), envelope(AESCBC, "v1", "a:b", cbc48[:47]), decode.ErrValue},
		{"no payload", "k8s:enc:secretbox:v1:a:b:", names(Secretbox, "a:b"), envelope(Secretbox, "v1", "a:b", ""), decode.ErrTruncated},
		{"kms v1, length past the end", "k8s:enc:kms:v1:p:q:\x00\x15" + dek, names(KMSv1, "p:q"), v1("p:q", "\x00\x15"+dek, 21), decode.ErrBounds},

		{"plaintext", "k8s\x00\x0a", names(AESGCM, "a"), Envelope{Provider: Identity, Payload: []byte("k8s\x00\x0a"), Encoding: Protobuf}, nil},
		{"unknown provider", "k8s:enc:rot13:v1:a:b:x", names(Unknown, "a:b"), Envelope{Version: []byte("v1"), KeyName: []byte("a"), Payload: []byte("b:x")}, decode.ErrUnknown},
		{"cut in the name", "k8s:enc:aesgcm:v1:a", names(AESGCM, "a"), Envelope{}, decode.ErrTruncated},
		{"cut in the prefix", "k8s:enc:aes", names(AESGCM, "a"), Envelope{}, decode.ErrTruncated},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseNamed([]byte(tt.value), 0x1000, tt.names)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("ParseNamed (-want +got):\n%s", diff)
			}
			stored.CheckError(t, err, tt.err, 0x1000, len(tt.value))
			var fe *decode.FormatError
			if errors.As(err, &fe) && got.Provider != Unknown && fe.Off < 0x1000+int64(len(tt.value)-len(got.Payload)) {
				t.Errorf("error at offset %#x, before the payload", fe.Off)
			}
		})
	}
}

// checkMore checks what an envelope says of a longer name: it lies in the payload, is text,
// has a colon behind it, and leaves a payload that its provider could have written.
func checkMore(t testing.TB, e Envelope) {
	t.Helper()
	if e.MoreName == nil {
		return
	}
	if n := len(e.MoreName); n >= len(e.Payload) || n > maxMore || !bytes.HasPrefix(e.Payload, append(bytes.Clone(e.MoreName), ':')) || printableLen(e.MoreName) != n || cap(e.MoreName) != n {
		t.Fatalf("more of a name: %q of %q", e.MoreName, e.Payload)
	}
	longer := Envelope{Provider: e.Provider, Payload: e.Payload[len(e.MoreName)+1:]}
	if err := longer.checkPayload(0); err != nil {
		t.Fatalf("more of a name: %q leaves %q: %v", e.MoreName, longer.Payload, err)
	}
	if l := e.Longest(); string(l.KeyName) != string(e.KeyName)+":"+string(e.MoreName) || string(l.Payload) != string(longer.Payload) || l.DEKLen != longer.DEKLen {
		t.Fatalf("the longest of %+v is %+v", e, l)
	}
	last := ""
	for _, name := range e.Names() {
		if !strings.HasPrefix(string(e.KeyName)+":"+string(e.MoreName)+":", name+":") || len(name) < len(last) || last != "" && len(name) == len(last) {
			t.Fatalf("%q is no name of %q", name, e.KeyName)
		}
		last = name
	}
	if last != string(e.KeyName)+":"+string(e.MoreName) {
		t.Fatalf("the longest name of %q is %q", e.KeyName, last)
	}
}

// checkNamed checks what ParseNamed says of any value: the longest known name that the
// value goes on with, unless Parse tells of a longer one.
func checkNamed(t testing.TB, value []byte, names []Name) {
	t.Helper()
	want, errWant := Parse(value, 7)
	got, err := ParseNamed(value, 7, names)
	checkMore(t, want)
	checkMore(t, got)
	stored.CheckError(t, err, err, 7, len(value))
	longest := ""
	for _, n := range names {
		prefix := Prefix(n.Provider, n.Name)
		if n.Provider == want.Provider && prefix != "" && bytes.HasPrefix(value, []byte(prefix)) && len(n.Name) > len(longest) {
			longest = n.Name
		}
	}
	if len(longest) <= len(want.KeyName) {
		if !cmp.Equal(want, got) || (err == nil) != (errWant == nil) {
			t.Fatalf("%q, %q: %+v, %v; Parse: %+v, %v", value, names, got, err, want, errWant)
		}
		return
	}
	if prefix := Prefix(got.Provider, string(got.KeyName)); string(got.KeyName) != longest || prefix+string(got.Payload) != string(value) {
		t.Fatalf("%q, %q: %+v, want name %q", value, names, got, longest)
	}
	if got.Provider != want.Provider || string(got.Version) != string(want.Version) || cap(got.Payload) != len(got.Payload) || cap(got.KeyName) != len(got.KeyName) {
		t.Fatalf("%q, %q: %+v; Parse: %+v", value, names, got, want)
	}
	checkNonce(t, value, got, err)
}

func TestParseNamedAnything(t *testing.T) {
	name := rapid.StringMatching(`[ab:]{0,4}`)
	rapid.Check(t, func(rt *rapid.T) {
		provider := Provider(rapid.IntRange(int(Identity), int(KMSv2)).Draw(rt, "provider"))
		value := append([]byte(Prefix(provider, name.Draw(rt, "name"))), rapid.SliceOf(rapid.SampledFrom([]byte(":ab\x00\x01\x20\x81"))).Draw(rt, "rest")...)
		var names []Name
		for range rapid.IntRange(0, 5).Draw(rt, "names") {
			names = append(names, Name{Provider(rapid.IntRange(0, int(KMSv2)).Draw(rt, "provider")), name.Draw(rt, "name")})
		}
		checkNamed(t, value, names)
	})
}

func TestParseNamedDoesNotAllocate(t *testing.T) {
	names := []Name{{AESGCM, "a"}, {AESGCM, "a:b"}, {KMSv2, "vault"}}
	for _, value := range []string{"k8s\x00\x0a", "k8s:enc:aesgcm:v1:a:b:" + gcm40, "k8s:enc:kms:v2:vault:" + kms2} {
		b := []byte(value)
		if n := testing.AllocsPerRun(100, func() { must(ParseNamed(b, 0, names)) }); n != 0 {
			t.Errorf("ParseNamed(%q) allocates %v times", value, n)
		}
	}
}

func FuzzParseNamed(f *testing.F) {
	for _, value := range []string{
		"", "k8s\x00\x0a\x00", enc, enc + "rot13:v1:a:b:x", enc + "aescbc:v1:a:b:" + cbc48, enc + "aesgcm:v1:a:b:" + gcm40,
		enc + "secretbox:v1:a:b:" + secretbox4, enc + "kms:v1:a:b:" + kms1, enc + "kms:v2:a:" + kms2, enc + "aesgcm:v1::" + gcm40,
	} {
		f.Add([]byte(value), "a:b", "a", byte(AESGCM))
		f.Add([]byte(value), "", ":", byte(AESCBC))
		f.Add([]byte(value), "x", "a:b:", byte(KMSv1))
	}
	f.Fuzz(func(t *testing.T, value []byte, one, two string, provider byte) {
		e, err := Parse(value, 7)
		named, errNamed := ParseNamed(value, 7, nil)
		if !cmp.Equal(e, named) || (err == nil) != (errNamed == nil) || err != nil && err.Error() != errNamed.Error() {
			t.Fatalf("%+v, %v; Parse: %+v, %v", named, errNamed, e, err)
		}
		checkNamed(t, value, []Name{{Provider(provider), one}, {Provider(provider), two}, {e.Provider, two}, {e.Provider, one}})
		names := []Name{{Provider(provider), one}, {Provider(provider), two}}
		envelopeBound.Check(t, len(value), func() { _, _ = ParseNamed(value, 7, names) })
		checkNamed(t, value, []Name{{Provider(provider), strings.TrimSuffix(one, ":") + ":" + two}})
	})
}
