package mem

// A HashMap maps hashes to hashes, in the 16 bytes that the two take: one for each value
// of a large db must fit beside all else. Its hashes are evenly spread; neither is 0,
// which marks a free place.
//
// It exists as a map of the language takes twice as much, and twice the time.
type HashMap struct {
	slots []hashSlot // a power of two of them
	Used  int
}

type hashSlot struct{ key, value uint64 }

// minTable is how many places a table has at the least.
const minTable = 1 << 10

// slot is the place of a key: its own, or the free one where it would go.
func (t *HashMap) slot(key uint64) *hashSlot {
	mask := uint64(len(t.slots) - 1)
	for i := key & mask; ; i = (i + 1) & mask {
		if s := &t.slots[i]; s.key == key || s.key == 0 {
			return s
		}
	}
}

// Put sets the value of a key that has none, and returns the one that it has else.
func (t *HashMap) Put(key, value uint64) (have uint64, known bool) {
	key, value = max(key, 1), max(value, 1)
	if 4*t.Used >= 3*len(t.slots) {
		t.grow()
	}
	s := t.slot(key)
	if s.key != 0 {
		return s.value, true
	}
	*s = hashSlot{key, value}
	t.Used++
	return 0, false
}

func (t *HashMap) grow() {
	old := t.slots
	t.slots = make([]hashSlot, max(minTable, 2*len(old)))
	for _, s := range old {
		if s.key != 0 {
			*t.slot(s.key) = s
		}
	}
}

// Keep drops all keys but those that want accepts.
func (t *HashMap) Keep(want func(key uint64) bool) {
	old := t.slots
	t.slots, t.Used = make([]hashSlot, len(old)), 0
	for _, s := range old {
		if s.key != 0 && want(s.key) {
			*t.slot(s.key) = s
			t.Used++
		}
	}
}
