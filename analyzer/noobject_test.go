package analyzer

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/fixtures/forged"
)

// What no API server writes at the key of a Secret is plaintext if it may be text, and else neither
// plaintext nor encrypted. Every copy of it goes by the same rule.
func TestNoObject(t *testing.T) {
	yaml := "apiVersion: v1\nkind: Secret\nmetadata:\n  name: s-1\nstringData:\n  password: hunter2-hunter2\n"
	for name, tt := range map[string]struct {
		value []byte
		plain bool
	}{
		"empty":           {nil, false},
		"zeros":           {make([]byte, 300), false},
		"one zero":        {make([]byte, 1), false},
		"random":          {forged.Noise("random", 400), false},
		"YAML":            {[]byte(yaml), true},
		"base64":          {[]byte(base64.StdEncoding.EncodeToString([]byte(yaml))), true},
		"short text":      {[]byte("hunter2"), true},
		"short noise":     {forged.Noise("short", 16), true}, // too short to tell
		"text in noise":   {append(append(forged.Noise("a", 300), yaml...), forged.Noise("b", 300)...), true},
		"text in zeros":   {append(make([]byte, 300), "hunter2"...), true},
		"JSON, no object": {[]byte(`{"password":"hunter2"}`), true},
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
		if bytes.HasPrefix(tt.value, []byte("{")) {
			continue
		}
		found := of(r, report.RuleUnknownEnvelope)
		if len(found) != 1 || !strings.Contains(found[0].Message(), "no Kubernetes object") || strings.Contains(found[0].Message(), "counts as plaintext") != tt.plain {
			t.Errorf("%s: %+v", name, found)
		}
	}
}
