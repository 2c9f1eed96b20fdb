package mem

// A HashMap maps hashes to hashes, in the 16 bytes that the two take: one for each value of a
// large db must fit beside all else. A Go map takes twice as much, and twice the time.
//
// Its keys must be evenly spread, as hashes are. 0 marks a free slot, so it counts as 1, both as
// a key and as a value. The zero HashMap is empty.
type HashMap struct {
	slots []hashSlot // a power of two of them; nil at first
	Used  int        // how many keys there are; for callers to read
}

type hashSlot struct{ key, value uint64 }

// minSlots is how many slots a HashMap has at the least, once it has a key.
const minSlots = 1 << 10

// Put sets the value of a key that has none. If it has one, that stays, and comes back.
func (m *HashMap) Put(key, value uint64) (have uint64, known bool) {
	key, value = max(key, 1), max(value, 1)
	if 4*m.Used >= 3*len(m.slots) {
		m.grow()
	}
	s := m.slot(key)
	if s.key != 0 {
		return s.value, true
	}
	*s = hashSlot{key, value}
	m.Used++
	return 0, false
}

// Keep drops all keys but those that want accepts. It keeps the memory of the others for new ones.
func (m *HashMap) Keep(want func(key uint64) bool) {
	old := m.slots
	m.slots, m.Used = make([]hashSlot, len(old)), 0
	for _, s := range old {
		if s.key != 0 && want(s.key) {
			*m.slot(s.key) = s
			m.Used++
		}
	}
}

// slot is the slot of a key: its own, or the free one where it would go.
func (m *HashMap) slot(key uint64) *hashSlot {
	mask := uint64(len(m.slots) - 1)
	for i := key & mask; ; i = (i + 1) & mask {
		if s := &m.slots[i]; s.key == key || s.key == 0 {
			return s
		}
	}
}

func (m *HashMap) grow() {
	old := m.slots
	m.slots = make([]hashSlot, max(minSlots, 2*len(old)))
	for _, s := range old {
		if s.key != 0 {
			*m.slot(s.key) = s
		}
	}
}
