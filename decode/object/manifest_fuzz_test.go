package object

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/etcdsift/etcdsift/fixtures/alloc"
)

func manifestSeeds(f *testing.F) {
	f.Helper()
	seeds(f)
	pod := &corev1.Pod{ObjectMeta: objectMeta("payments", "web"), Spec: corev1.PodSpec{Containers: []corev1.Container{{
		Name:      "c",
		Resources: corev1.ResourceRequirements{Limits: corev1.ResourceList{"cpu": resource.MustParse("1500m"), "memory": resource.MustParse("1Gi")}},
	}}}}
	for _, value := range encodings(f, scheme.Scheme, corev1.SchemeGroupVersion, pod) {
		f.Add(value)
	}
}

// An object costs what it takes to decode it: the types that are generated for protobuf
// have fields for all that there may be, a list of them in a byte or two, and a map in JSON
// is some hundred bytes where the text has three.
var objectBound = alloc.Bound{Fixed: 64 << 10, PerByte: 512}

// A whole one costs more: a container takes a kilobyte where protobuf has two bytes, and is
// converted twice. maxMemory and maxElements bound it.
var manifestBound = alloc.Bound{Fixed: 64 << 10, PerByte: 4 << 10}

func FuzzParseManifest(f *testing.F) {
	manifestSeeds(f)
	f.Fuzz(func(t *testing.T, value []byte) {
		mine := bytes.Clone(value)
		object, err := ParseManifest(mine, 3)
		checkError(t, err, err, 3, len(value))
		if err == nil && object == nil {
			t.Fatal("neither an object nor an error")
		}
		text := fmt.Sprint(object)
		for i := range mine {
			mine[i] ^= 0xff
		}
		if after := fmt.Sprint(object); after != text {
			t.Fatalf("%s turned into %s with the value", text, after)
		}
		manifestBound.Check(t, len(value), func() { _, _ = ParseManifest(value, 3) })
		again, againErr := ParseManifest(value, 3)
		if againText := fmt.Sprint(again); againText != text || (againErr == nil) != (err == nil) {
			t.Fatalf("first %s, %v\nagain %s, %v", text, err, againText, againErr)
		}
	})
}

func FuzzParseSecretData(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, value []byte) {
		data, whole, err := ParseSecretData(value, 3)
		checkError(t, err, err, 3, len(value))
		if whole != (err == nil) {
			t.Fatalf("whole is %v with error %v", whole, err)
		}
		objectBound.Check(t, len(value), func() { _, _, _ = ParseSecretData(value, 3) })
		var names []string
		size := 0
		for _, d := range data {
			names = append(names, d.Name)
			size += len(d.Value)
		}
		if size > 3*len(value) { // in JSON, a byte that is not UTF-8 becomes three
			t.Fatalf("%d bytes of data from %d", size, len(value))
		}
		s, secretErr := ParseSecret(value, 3)
		if err == nil && secretErr == nil && !cmp.Equal(names, s.DataKeys) {
			t.Fatalf("ParseSecretData has %q, ParseSecret %q", names, s.DataKeys)
		}
	})
}
