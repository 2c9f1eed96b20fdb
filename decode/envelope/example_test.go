package envelope_test

import (
	"fmt"
	"strings"

	"github.com/etcdsift/etcdsift/decode/envelope"
)

// How was a value stored? The prefix tells, for plaintext the first bytes.
func ExampleParse() {
	for _, value := range []string{
		"k8s\x00\n\f\n\x02v1\x12\x06Secret",
		`{"apiVersion":"v1","kind":"Secret"}`,
		"k8s:enc:aescbc:v1:key1:" + "an IV, 16 bytes " + "whole blocks, 16",
		"k8s:enc:rot13:v1:key1:...",
	} {
		env, err := envelope.Parse([]byte(value), 0)
		if err != nil {
			fmt.Println(env.Provider, err)
			continue
		}
		fmt.Println(strings.TrimSpace(fmt.Sprintf("%s %s %s", env.Provider, env.KeyName, env.Encoding)))
	}
	// Output:
	// identity  protobuf
	// identity  json
	// aescbc key1
	// unknown encryption provider or version at offset 0x8: not known
}
