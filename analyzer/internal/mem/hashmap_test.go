package mem

import (
	"testing"

	"pgregory.net/rapid"
)

// A HashMap does what a map does.
func TestHashMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var got HashMap
		want := map[uint64]uint64{}
		small := rapid.Uint64Range(0, 40)
		for range rapid.IntRange(0, 3000).Draw(t, "puts") {
			key, value := rapid.Uint64().Draw(t, "key"), rapid.Uint64().Draw(t, "value")
			if rapid.Bool().Draw(t, "small") {
				key = small.Draw(t, "key")<<32 | small.Draw(t, "low") // that collide
			}
			key, value = max(key, 1), max(value, 1)
			have, known := got.Put(key, value)
			if old, ok := want[key]; known != ok || known && have != old {
				t.Fatalf("put %d: got %d, %v, want %d, %v", key, have, known, old, ok)
			} else if !ok {
				want[key] = value
			}
		}
		got.Keep(func(key uint64) bool { return key%2 == 0 })
		for key, value := range want {
			if key%2 == 1 {
				delete(want, key)
			} else if have, known := got.Put(key, 7); !known || have != value {
				t.Fatalf("after keep %d: got %d, %v, want %d", key, have, known, value)
			}
		}
		if got.Used != len(want) {
			t.Fatalf("%d keys, want %d", got.Used, len(want))
		}
	})
}
