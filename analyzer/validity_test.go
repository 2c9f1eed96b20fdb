package analyzer

import (
	"bytes"
	"os"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/etcdsift/etcdsift/analyzer/encryption"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/fixtures"
	"github.com/etcdsift/etcdsift/fixtures/captured"
)

// What is said of each datum of an exposed Secret is what the API server's own code sees
// when it reads the old copy and the current value. Without the keys it is unknown, but
// for Secrets that are gone.
func TestValidityOfCaptured(t *testing.T) {
	stages, err := captured.Stages()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[report.Use]int{}
	for _, stage := range stages[1:5] {
		path := extract(t, stage.Snapshot())
		file, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		b, err := stage.EncryptionConfig()
		if err != nil {
			t.Fatal(err)
		}
		config, err := encryption.Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		witness, err := fixtures.OpenWitness(t.Context(), string(b))
		if err != nil {
			t.Fatal(err)
		}
		defer witness.Close()
		r, values := run(t, Options{Encryption: config}, open(t, path))
		without, _ := run(t, Options{}, open(t, path))
		live := liveValues(t, path)
		current := map[report.Text]map[string][]byte{}
		for _, v := range values {
			if v.Resource == "secrets" {
				reading := witness.Read(t.Context(), schema.GroupResource{Resource: "secrets"}, string(v.Key), live[string(v.Key)])
				if !reading.Readable {
					t.Fatalf("%s: %v", v.Key, reading.Err)
				}
				current[v.Key] = secretData(t, reading.Plain)
			}
		}
		for i, x := range r.Exposures {
			want := map[report.Text]report.Use{}
			for _, c := range x.Copies {
				if !c.Complete || c.Region == report.RegionFragment {
					continue
				}
				for name, old := range secretData(t, file[c.Offset:c.Offset+c.Length]) {
					use := report.Changed
					if now, ok := current[x.Key][name]; !ok {
						use = report.Gone
					} else if bytes.Equal(now, old) {
						use = report.Unchanged
					}
					if have, ok := want[report.Text(name)]; !ok || use.Compare(have) < 0 {
						want[report.Text(name)] = use
					}
				}
			}
			got := map[report.Text]report.Use{}
			for _, d := range x.Validity.DataKeys {
				got[d.Name] = d.Status
				seen[d.Status]++
			}
			if diff := gocmp.Diff(want, got); diff != "" && len(want) > 0 {
				t.Errorf("%s, %s (-want +got):\n%s", stage.Name, x.Key, diff)
			}
			blind := without.Exposures[i].Validity.Status
			if unknown := x.State == report.StateLive && x.Status == report.StatusExposed; unknown != (blind == report.UseUnknown) {
				t.Errorf("%s, %s (%s, %s) without the keys: %s", stage.Name, x.Key, x.State, x.Status, blind)
			}
		}
	}
	if seen[report.Unchanged] == 0 || seen[report.Changed] == 0 || seen[report.Gone] == 0 {
		t.Errorf("data by use: %v: the test looks at too little", seen)
	}
}

func secretData(t *testing.T, value []byte) map[string][]byte {
	t.Helper()
	o, _, err := scheme.Codecs.UniversalDeserializer().Decode(value, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return o.(*corev1.Secret).Data
}
