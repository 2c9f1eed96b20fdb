package manifest

import (
	"bytes"
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/etcdsift/etcdsift/fixtures/alloc"
	"github.com/etcdsift/etcdsift/fixtures/stored"
)

func seed(f *testing.F) {
	f.Helper()
	stored.Seed(f)
	pod := &corev1.Pod{ObjectMeta: stored.ObjectMeta("payments", "web"), Spec: corev1.PodSpec{Containers: []corev1.Container{{
		Name:      "c",
		Resources: corev1.ResourceRequirements{Limits: corev1.ResourceList{"cpu": resource.MustParse("1500m"), "memory": resource.MustParse("1Gi")}},
	}}}}
	for _, value := range stored.Encodings(f, scheme.Scheme, corev1.SchemeGroupVersion, pod) {
		f.Add(value)
	}
}

// A whole one costs more: a container takes a kilobyte where protobuf has two bytes, and is
// converted twice. maxMemory and maxElements bound it.
var bound = alloc.Bound{Fixed: 64 << 10, PerByte: 4 << 10}

func FuzzParse(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, value []byte) {
		mine := bytes.Clone(value)
		manifest, err := Parse(mine, 3)
		stored.CheckError(t, err, err, 3, len(value))
		if err == nil && manifest == nil {
			t.Fatal("neither an object nor an error")
		}
		text := fmt.Sprint(manifest)
		for i := range mine {
			mine[i] ^= 0xff
		}
		if after := fmt.Sprint(manifest); after != text {
			t.Fatalf("%s turned into %s with the value", text, after)
		}
		bound.Check(t, len(value), func() { _, _ = Parse(value, 3) })
		again, againErr := Parse(value, 3)
		if againText := fmt.Sprint(again); againText != text || (againErr == nil) != (err == nil) {
			t.Fatalf("first %s, %v\nagain %s, %v", text, err, againText, againErr)
		}
	})
}
