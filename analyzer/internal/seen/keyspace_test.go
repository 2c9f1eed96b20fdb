package seen

import (
	"fmt"
	"strings"
	"testing"

	"github.com/etcdsift/etcdsift/decode/envelope"
)

// Long names are kept up to a bound, and all in number up to another.
func TestLongNames(t *testing.T) {
	k := newKeyspace(NewInterest(Wanted{}))
	long := strings.Repeat("n", maxName)
	const more = 100
	for i := range maxNames/maxName + more {
		value := fmt.Appendf(nil, "k8s:enc:aescbc:v1:%06d%s:%s", i, long, strings.Repeat("v", 48))
		if stored, err := k.Parse(value, 0); err != nil || k.Storages[stored].Provider != envelope.AESCBC {
			t.Fatalf("%+v, %v", k.Storages[stored], err)
		}
	}
	bytes := 0
	for _, s := range k.Storages {
		if len(s.KeyName) > maxName {
			t.Errorf("a name of %d bytes", len(s.KeyName))
		}
		bytes += len(s.KeyName)
	}
	if bytes > maxNames+maxName || k.named < bytes || k.named > maxNames+2*maxName {
		t.Errorf("%d bytes of names, %d counted, want at most %d", bytes, k.named, maxNames)
	}
}
