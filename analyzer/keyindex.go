package analyzer

import "hash/maphash"

// A keyIndex finds the entry of a key, in the 8 bytes that a hash and a number take: a
// map of the language takes three times as much.
type keyIndex struct {
	seed  maphash.Seed
	slots []keySlot // a power of two of them
	used  int
}

// A keySlot has an entry, and a part of the hash of its key.
type keySlot struct {
	hash  uint32
	entry entryID
}

// minKeys is how many places a keyIndex has at the least.
const minKeys = 1 << 10

// find is the entry of a key.
func (k *keyspace) find(key []byte) entryID {
	x := &k.index
	if len(x.slots) == 0 {
		return 0
	}
	h := maphash.Bytes(x.seed, key)
	mask := uint64(len(x.slots) - 1)
	for at := h & mask; ; at = (at + 1) & mask {
		slot := x.slots[at]
		if slot.entry == 0 || slot.hash == uint32(h>>32) && k.at(slot.entry).key == string(key) {
			return slot.entry
		}
	}
}

// put adds an entry, of which the key is not there yet.
func (k *keyspace) put(id entryID) {
	x := &k.index
	if 4*(x.used+1) > 3*len(x.slots) {
		if x.slots == nil {
			x.seed = maphash.MakeSeed()
		}
		x.slots = make([]keySlot, max(minKeys, 2*len(x.slots)))
		for other, e := range k.all() {
			if other != id {
				x.place(e.key, other)
			}
		}
	}
	x.used++
	x.place(k.at(id).key, id)
}

func (x *keyIndex) place(key string, id entryID) {
	h := maphash.String(x.seed, key)
	mask := uint64(len(x.slots) - 1)
	at := h & mask
	for x.slots[at].entry != 0 {
		at = (at + 1) & mask
	}
	x.slots[at] = keySlot{uint32(h >> 32), id}
}
