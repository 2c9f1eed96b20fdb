package witness

import "testing"

func TestMapSize(t *testing.T) {
	for size, want := range map[int64]int64{
		0: 1 << 15, 1 << 15: 1 << 15, 1<<15 + 1: 1 << 16, 5 << 20: 8 << 20, 1 << 30: 1 << 30, 1<<30 + 1: 2 << 30, 5 << 30: 5 << 30,
	} {
		if got := mapSize(size); got != want {
			t.Errorf("%d: %d, want %d", size, got, want)
		}
	}
}
