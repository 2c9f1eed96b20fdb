package seen

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode/envelope"
)

// The report has a word for each provider, and for no other.
func TestReportedProviders(t *testing.T) {
	var got []report.Provider
	for _, p := range append([]envelope.Provider{envelope.Unknown, envelope.Identity}, envelope.Encrypting()...) {
		got = append(got, Storage{Provider: p}.Reported())
	}
	if diff := cmp.Diff(report.Providers(), got); diff != "" {
		t.Errorf("(-report +envelope):\n%s", diff)
	}
}

// A hostile name may hold whatever could stand between two parts of it, and two ways of storing a
// value are two all the same.
func TestStoragesApart(t *testing.T) {
	kms := func(name, keyID string) envelope.Envelope {
		env := envelope.Envelope{Provider: envelope.KMSv2, Version: []byte("v2"), KeyName: []byte(name)}
		env.Object.KeyID = []byte(keyID)
		return env
	}
	named := func(name string, more []byte) envelope.Envelope {
		return envelope.Envelope{Provider: envelope.AESGCM, Version: []byte("v1"), KeyName: []byte(name), MoreName: more}
	}
	k := newKeyspace(NewInterest(Want{}))
	seen := map[StorageID]string{}
	for _, env := range []envelope.Envelope{
		kms("a", "b\x00c"), kms("a\x00b", "c"), kms("a\x00b\x00c", ""), kms("a", "b"), kms("a", "b\x00\x01"),
		kms("", "a"), kms("a", ""), kms("\x01a", ""), kms("", "\x01a"),
		named("a", nil), named("a", []byte{}), named("a", []byte("b")), named("a:b", nil), named("a:b", []byte("c")), named("a", []byte("b:c")),
		{Provider: envelope.Unknown, Version: []byte("v1")}, {Provider: envelope.Unknown, Version: []byte("v1\x00")},
	} {
		id, what := k.StorageOf(env), fmt.Sprintf("%v %q %q %q %q", env.Provider, env.Version, env.KeyName, env.MoreName, env.Object.KeyID)
		if other, known := seen[id]; known {
			t.Errorf("%s is stored like %s", what, other)
		}
		seen[id] = what
		if again := k.StorageOf(env); again != id {
			t.Errorf("%s: %d, then %d", what, id, again)
		}
	}
}

// Two keys of one name are two keys if they are of two providers.
func TestWrittenApart(t *testing.T) {
	k := newKeyspace(NewInterest(Want{}))
	l := newLedger(&k, NewInterest(Want{}))
	for _, p := range []envelope.Provider{envelope.AESGCM, envelope.Secretbox} {
		at := Copy{Key: "/registry/secrets/a/b", Create: 2, Version: 3}
		at.Storage = k.StorageOf(envelope.Envelope{Provider: p, Version: []byte("v1"), KeyName: []byte("key1")})
		l.count(&at, l.dir([]byte(at.Key)))
		l.count(&at, l.dir([]byte(at.Key)))
	}
	if len(l.Written) != 2 {
		t.Errorf("%d incarnations, want 2: %+v", len(l.Written), l.Written)
	}
}
