package analyzer

import (
	"bytes"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/fixtures"
	"github.com/etcdsift/etcdsift/fixtures/forged"
)

// letters is n letters that are the same for each seed.
func letters(seed string, n int) string {
	b := forged.Noise(seed, n)
	for i := range b {
		b[i] = 'a' + b[i]%26
	}
	return string(b)
}

// configWith is the value of a ConfigMap.
func configWith(t *testing.T, data map[string]string) []byte {
	t.Helper()
	b, err := fixtures.Encode(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "c-1"}, Data: data}, fixtures.Protobuf)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// withTail is a db with pages behind its last one. Each holds one piece.
func withTail(db []byte, pieces ...string) []byte {
	b := bytes.Clone(db)
	for _, p := range pieces {
		b = append(b, make([]byte, (len(p)+4095)/4096*4096)...)
		copy(b[len(b)-(len(p)+4095)/4096*4096:], p)
	}
	return b
}

const configKey = "/registry/configmaps/default/c-1"

// TestOwners asks whose a piece is that several known values have.
func TestOwners(t *testing.T) {
	text := letters("text", 900)
	piece := text[200:700]
	secret := secretWith(t, map[string]string{"password": text}, fixtures.Protobuf)
	other := secretWith(t, map[string]string{"another": text}, fixtures.Protobuf)
	long := letters("long", 10_670)
	later := forged.Sealed("aesgcm:v1:key1", "later")
	type owner struct {
		Key         string
		Off, Length int64 // Off in the tail
		Rev         int64
	}
	tests := []struct {
		name    string
		records []forged.Record
		piece   string
		want    []owner
		alsoIn  []report.Text
		left    int64 // bytes that nobody owns
	}{
		{"one Secret", []forged.Record{{Rev: 5, Key: forged.SecretKey(1), Value: secret}, {Rev: 6, Create: 5, Version: 2, Key: forged.SecretKey(1), Value: later}},
			piece, []owner{{forged.SecretKey(1), 0, 500, 5}}, nil, 0},
		{"a Secret, and a ConfigMap that embeds it", []forged.Record{{Rev: 4, Key: configKey, Value: configWith(t, map[string]string{"a": text})}, {Rev: 5, Key: forged.SecretKey(1), Value: secret}},
			piece, []owner{{forged.SecretKey(1), 0, 500, 5}}, []report.Text{configKey}, 0},
		{"a ConfigMap that has more of it", []forged.Record{{Rev: 4, Key: configKey, Value: configWith(t, map[string]string{"a": "some words before it: " + text})}, {Rev: 5, Key: forged.SecretKey(1), Value: secretWith(t, map[string]string{"p": text[:600]}, fixtures.JSON)},
			{Rev: 6, Key: forged.SecretKey(2), Value: secret}},
			piece, []owner{{forged.SecretKey(2), 0, 500, 6}}, []report.Text{configKey}, 0},
		{"two Secrets with the same data", []forged.Record{{Rev: 5, Key: forged.SecretKey(1), Value: secret}, {Rev: 6, Key: forged.SecretKey(2), Value: other}},
			piece, []owner{{forged.SecretKey(1), 0, 500, 0}, {forged.SecretKey(2), 0, 500, 0}}, nil, 0},
		{"two revisions with the same data", []forged.Record{{Rev: 5, Key: forged.SecretKey(1), Value: secret}, {Rev: 6, Create: 5, Version: 2, Key: forged.SecretKey(1), Value: other}},
			piece, []owner{{forged.SecretKey(1), 0, 500, 0}}, nil, 0},
		{"most of it", []forged.Record{{Rev: 5, Key: forged.SecretKey(1), Value: secretWith(t, map[string]string{"password": long + "tail"}, fixtures.Protobuf)}},
			long[5000:8000] + "XXXXXXXXXXX", []owner{{forged.SecretKey(1), 0, 3000, 5}}, nil, 11},
		{"a part of it", []forged.Record{{Rev: 5, Key: forged.SecretKey(1), Value: secretWith(t, map[string]string{"password": long + "tail"}, fixtures.Protobuf)}},
			long[5000:6000] + letters("else", 1000), nil, nil, 2000},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := forged.DB{Records: test.records, Index: 10, Member: 7}
			db := f.Bytes(t)
			file := withTail(db, test.piece)
			r, _ := run(t, Options{FailOn: report.SeverityHigh}, inMemory(file))
			var got []owner
			var alsoIn []report.Text
			for _, x := range r.Exposures {
				var here []owner
				for _, c := range x.Copies {
					if c.Offset >= int64(len(db)) {
						here = append(here, owner{string(x.Key), c.Offset - int64(len(db)), c.Length, c.ModRevision})
					}
				}
				got = append(got, here...)
				alsoIn = append(alsoIn, x.AlsoIn...)

				// history says the same.
				h, _ := run(t, Options{Key: x.Key}, inMemory(file))
				if !slices.Equal(h.History.AlsoIn, x.AlsoIn) {
					t.Errorf("history of %s: also in %q, want %q", x.Key, h.History.AlsoIn, x.AlsoIn)
				}
				var told []owner
				for _, c := range h.History.Copies {
					if c.Offset >= int64(len(db)) {
						told = append(told, owner{string(x.Key), c.Offset - int64(len(db)), c.Length, c.ModRevision})
					}
				}
				if diff := gocmp.Diff(here, told); diff != "" {
					t.Errorf("%s: history tells another owner (-scan +history):\n%s", x.Key, diff)
				}
			}
			left := int64(0)
			for _, x := range r.Coverage.Unattributed {
				left += x.Length
			}
			if diff := gocmp.Diff(test.want, got); diff != "" || left != test.left || !slices.Equal(alsoIn, test.alsoIn) {
				t.Errorf("%d bytes left, want %d; also in %q (-want +got):\n%s", left, test.left, alsoIn, diff)
			}
		})
	}
}
