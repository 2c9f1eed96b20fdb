package seen

import (
	"fmt"
	"strings"
	"testing"

	"github.com/etcdsift/etcdsift/decode/envelope"
)

// One bound holds for each name, and another for all of them.
func TestLongNames(t *testing.T) {
	k := newKeyspace(NewInterest(Want{}))
	long := strings.Repeat("n", maxName)
	const more = 100
	for i := range maxNames/maxName + more {
		value := fmt.Appendf(nil, "k8s:enc:aescbc:v1:%06d%s:%s", i, long, strings.Repeat("v", 48))
		if id, err := k.ParseStorage(value, 0); err != nil || k.Storages[id].Provider != envelope.AESCBC {
			t.Fatalf("%+v, %v", k.Storages[id], err)
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
