package analyzer

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/fixtures"
	"github.com/etcdsift/etcdsift/fixtures/forged"
)

// What no API server writes at the key of a Secret is plaintext if it may be text, and else neither
// plaintext nor encrypted. Every copy of it goes by the same rule.
func TestNoObject(t *testing.T) {
	yaml := "apiVersion: v1\nkind: Secret\nmetadata:\n  name: s-1\nstringData:\n  password: hunter2-hunter2\n"
	secret := secretWith(t, map[string]string{"p": "hunter2"}, fixtures.Protobuf)
	for name, tt := range map[string]struct {
		value []byte
		plain bool
	}{
		"empty":                    {nil, false},
		"zeros":                    {make([]byte, 300), false},
		"one zero":                 {make([]byte, 1), false},
		"random":                   {forged.Noise("random", 400), false},
		"YAML":                     {[]byte(yaml), true},
		"base64":                   {[]byte(base64.StdEncoding.EncodeToString([]byte(yaml))), true},
		"short text":               {[]byte("hunter2"), true},
		"short noise":              {forged.Noise("short", 16), true}, // too short to tell
		"text in noise":            {append(append(forged.Noise("a", 300), yaml...), forged.Noise("b", 300)...), true},
		"text in zeros":            {append(make([]byte, 300), "hunter2"...), true},
		"JSON, no object":          {[]byte(`{"password":"hunter2"}`), true},
		"JSON without kind":        {[]byte(`{"apiVersion":"v1","metadata":{"name":"s-1"}}`), true},
		"cut JSON":                 {[]byte(`{"apiVersion":"v1","kind":"Secret","data":{"p":"aHVu`), true},
		"JSON and more":            {[]byte(`{"apiVersion":"v1","kind":"Secret","metadata":{"name":"s-1"}} hunter2`), true},
		"cut CBOR":                 {[]byte("\xd9\xd9\xf7\xa3"), true},
		"cut protobuf":             {secret[:len(secret)-9], true},
		"protobuf of another kind": {configWith(t, map[string]string{"a": "hunter2"}), true},
		"JSON of another kind":     {[]byte(`{"apiVersion":"v1","kind":"Pod","metadata":{"name":"s-1"}}`), true},
	} {
		f := forged.DB{Index: 1, Member: 7, Records: []forged.Record{{Rev: 4, Key: forged.SecretKey(1), Value: tt.value}, {Rev: 5, Key: forged.SecretKey(2), Value: forged.Sealed(newKey, "x")},
			{Rev: 6, Key: "/registry/pods/default/p", Value: []byte("filler")}}, Freed: []int64{6}}
		log := logOf(t, 1, [3]string{"1", "s-1", string(tt.value)})
		r, _ := run(t, Options{}, withLog(inMemory(f.Bytes(t)), log)...)
		exposed := len(r.Exposures) > 0
		if exposed != tt.plain || tt.plain && r.Exposures[0].Status != report.StatusPlaintext {
			t.Errorf("%s: %+v", name, r.Exposures)
		}
		if scope := r.Scope[0]; !tt.plain && (scope.Keys != 2 || scope.Broken != 1 || scope.InPlaintext() != 0) {
			t.Errorf("%s: %+v", name, scope)
		}
		found := of(r, report.RuleUnknownEnvelope)
		if len(found) != 1 || !strings.Contains(found[0].Message(), "no Kubernetes object") || strings.Contains(found[0].Message(), "counts as plaintext") != tt.plain {
			t.Errorf("%s: %+v", name, found)
		}
	}
}

// NoObject tells what a value is, and holds none of it.
func TestNoObjectInWords(t *testing.T) {
	for _, tt := range []struct {
		value string
		want  string
	}{
		{"", "empty"},
		{"\x00", "1 byte, zeros alone"},
		{strings.Repeat("\x00", 500), "500 bytes, zeros alone"},
		{string(forged.Noise("random", 400)), "400 random bytes"},
		{"x", "1 byte of text"},
		{"hunter2", "7 bytes of text"},
		{"p\u00e4ssw\u00f6rd\n", "11 bytes of text"},
		{"password: hunter2-hunter2\x01" + strings.Repeat("a", 40), "66 bytes of text"},
		{string(forged.Noise("a", 300)) + "hunter2-hunter2-hunter2", "323 bytes, some of them text"},
		{"\x01\x02\xfe\xff\x80", "5 bytes, neither text nor random enough to be sure"},
		{`{"password":"hunter2"}`, "22 bytes of json"},
		{`{"password":"hunter2`, "20 bytes of json (object, JSON cut short)"},
		{"k8s\x00", "4 bytes of protobuf (object, runtime.Unknown cut short)"},
		{"k8s:enc:aescb", "13 bytes, an encrypted value (encryption prefix cut short)"},
		{"k8s:enc:rot13:v1:hunter2:x", "26 bytes, an encrypted value (encryption provider or version not known)"},
		{string(forged.Sealed(newKey, "x")), fmt.Sprintf("%d bytes, an encrypted value", len(forged.Sealed(newKey, "x")))},
	} {
		got := NoObject([]byte(tt.value))
		if got != tt.want {
			t.Errorf("%.40q: %q, want %q", tt.value, got, tt.want)
		}
		if strings.Contains(got, "hunter2") {
			t.Errorf("%.40q: %q holds a part of it", tt.value, got)
		}
	}
}
