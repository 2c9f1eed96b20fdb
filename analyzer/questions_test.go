package analyzer

import (
	"errors"
	"testing"

	"github.com/etcdsift/etcdsift/analyzer/evidence"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/fixtures/forged"
)

// A reading answers questions one after the other, and refuses those that it cannot answer: a key
// would seem to be needed by less than it is.
func TestQuestions(t *testing.T) {
	f := forged.DB{Records: []forged.Record{{Rev: 3, Key: forged.SecretKey(1), Value: forged.Sealed(oldKey, "1")}, {Rev: 4, Key: forged.SecretKey(2), Value: tellAll}}}
	ask := func(in Interest) *Reading {
		r, err := Read(t.Context(), []evidence.Source{inMemory(f.Bytes(t))}, in)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	r := ask(Interest{})
	if _, err := r.Keys(t.Context(), KeysOptions{Retire: []string{"aescbc:old"}}); !errors.Is(err, errNoKeys) {
		t.Errorf("keys: %v", err)
	}
	if _, err := r.History(t.Context()); !errors.Is(err, errNoKey) {
		t.Errorf("history: %v", err)
	}
	listed := 0
	each := func(report.Value) error { listed++; return nil }
	for range 2 {
		if _, err := r.Values(t.Context(), each); err != nil {
			t.Errorf("values: %v", err)
		}
	}
	scan, err := r.Scan(t.Context(), ScanOptions{})
	if err != nil || listed != 4 || len(scan.Exposures) != 1 {
		t.Errorf("%d values listed, scan: %+v, %v", listed, scan, err)
	}
	for name, ask := range map[string]func() error{
		"scan":   func() error { _, err := r.Scan(t.Context(), ScanOptions{}); return err },
		"values": func() error { _, err := r.Values(t.Context(), each); return err },
		"info":   func() error { _, err := r.Info(t.Context()); return err },
	} {
		if err := ask(); !errors.Is(err, errTaken) {
			t.Errorf("%s after scan: %v", name, err)
		}
	}
	if listed != 4 {
		t.Errorf("values were listed after scan")
	}
	if k, err := ask(Interest{Keys: true}).Keys(t.Context(), KeysOptions{}); err != nil || len(k.Keys) != 1 {
		t.Errorf("%+v, %v", k, err)
	}
}
