package analyzer

// A table maps hashes to hashes, in the 16 bytes that the two take: one for each value
// of a large db must fit beside all else. Its hashes are evenly spread; neither is 0,
// which marks a free place.
//
// It exists as a map of the language takes twice as much, and twice the time.
type table struct {
	slots []tableSlot // a power of two of them
	used  int
}

type tableSlot struct{ key, value uint64 }

// minTable is how many places a table has at the least.
const minTable = 1 << 10

// slot is the place of a key: its own, or the free one where it would go.
func (t *table) slot(key uint64) *tableSlot {
	mask := uint64(len(t.slots) - 1)
	for i := key & mask; ; i = (i + 1) & mask {
		if s := &t.slots[i]; s.key == key || s.key == 0 {
			return s
		}
	}
}

// put sets the value of a key that has none, and returns the one that it has else.
func (t *table) put(key, value uint64) (have uint64, known bool) {
	key, value = max(key, 1), max(value, 1)
	if 4*t.used >= 3*len(t.slots) {
		t.grow()
	}
	s := t.slot(key)
	if s.key != 0 {
		return s.value, true
	}
	*s = tableSlot{key, value}
	t.used++
	return 0, false
}

func (t *table) grow() {
	old := t.slots
	t.slots = make([]tableSlot, max(minTable, 2*len(old)))
	for _, s := range old {
		if s.key != 0 {
			*t.slot(s.key) = s
		}
	}
}

// keep drops all keys but those that want accepts.
func (t *table) keep(want func(key uint64) bool) {
	old := t.slots
	t.slots, t.used = make([]tableSlot, len(old)), 0
	for _, s := range old {
		if s.key != 0 && want(s.key) {
			*t.slot(s.key) = s
			t.used++
		}
	}
}
