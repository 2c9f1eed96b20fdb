package envelope

import (
	"strings"
	"testing"
)

// A value of each provider, of the size of a small Secret.
func BenchmarkParse(b *testing.B) {
	body := strings.Repeat("\x85", 1008)
	for _, v := range []struct{ name, value string }{
		{"identity", "k8s\x00\x0a" + body},
		{"aescbc", "k8s:enc:aescbc:v1:key1:" + body},
		{"aesgcm", "k8s:enc:aesgcm:v1:key1:" + body},
		{"secretbox", "k8s:enc:secretbox:v1:key1:" + body},
		{"kms-v1", "k8s:enc:kms:v1:vault:" + kms1 + body},
		{"kms-v2", "k8s:enc:kms:v2:vault:" + kms2},
	} {
		b.Run(v.name, func(b *testing.B) {
			value := []byte(v.value)
			b.ReportAllocs()
			for b.Loop() {
				must(Parse(value, 0))
			}
		})
	}
}

func BenchmarkParseNamed(b *testing.B) {
	names := []Name{{AESCBC, "key1"}, {AESGCM, "key1"}, {KMSv2, "vault"}}
	value := []byte("k8s:enc:aesgcm:v1:key1:" + strings.Repeat("\x85", 1008))
	b.ReportAllocs()
	for b.Loop() {
		must(ParseNamed(value, 0, names))
	}
}

func BenchmarkNonce(b *testing.B) {
	e := must(Parse([]byte("k8s:enc:kms:v2:vault:"+kms2), 0))
	b.ReportAllocs()
	for b.Loop() {
		e.Nonce()
	}
}
