package manifest

import (
	"bytes"
	"encoding/base64"
	"os"
	"path/filepath"
	"testing"

	"github.com/etcdsift/etcdsift/decode/object"
	"github.com/etcdsift/etcdsift/fixtures"
)

// All that reads the data of a Secret reads the same: the manifest, which the API server's type
// decodes, and the three functions of package object. This holds for each Secret that a scenario
// has live.
func TestSecretData(t *testing.T) {
	secrets := 0
	for _, scenario := range fixtures.Scenarios() {
		dir := filepath.Join(t.TempDir(), "evidence")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		e, err := scenario.Build(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range e.Answer.Live {
			value := e.Object(v.Key)
			if v.SecretType == "" || value == nil {
				continue
			}
			secrets++
			checkSecretData(t, scenario.Name+", "+v.Key, value)
		}
	}
	if secrets < 1000 {
		t.Errorf("only %d Secrets: the test looks at too little", secrets)
	}
}

func checkSecretData(t *testing.T, name string, value []byte) {
	t.Helper()
	s, _ := object.ParseSecret(value, 0) // its error may be about an odd name
	data, whole, dataErr := object.ParseSecretData(value, 0)
	contents := object.ParseContents(value, 0)
	m, manifestErr := Parse(value, 0)
	if dataErr != nil { // a datum with a name that none has: no reader may call such a Secret whole
		if manifestErr == nil || whole || contents.Whole || len(contents.Data) != len(data) {
			t.Errorf("%s: %v, %v, whole %v and %v, %d and %d data", name, dataErr, manifestErr, whole, contents.Whole, len(data), len(contents.Data))
		}
		return
	}
	if manifestErr != nil {
		t.Errorf("%s: %v", name, manifestErr)
		return
	}
	want, _ := m["data"].(map[string]any)
	if len(data) != len(want) || len(s.DataKeys) != len(want) || len(contents.Data) != len(want) || !whole || !contents.Whole {
		t.Errorf("%s: %d data, %d keys, %d contents, %d in the manifest", name, len(data), len(s.DataKeys), len(contents.Data), len(want))
		return
	}
	for i, d := range data {
		text, _ := want[d.Name].(string)
		raw, err := base64.StdEncoding.DecodeString(text)
		if err != nil || !bytes.Equal(raw, d.Value) || s.DataKeys[i] != d.Name || contents.Data[i].Name != d.Name || !bytes.Equal(contents.Data[i].Value, d.Value) {
			t.Errorf("%s: datum %q is not the same everywhere, %v", name, d.Name, err)
		}
	}
}
