package seen

import (
	"hash/maphash"
)

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
	entry EntryID
}

// minKeys is how many places a keyIndex has at the least.
const minKeys = 1 << 10

// Find is the entry of a key.
func (k *Keyspace) Find(key []byte) EntryID {
	x := &k.index
	if len(x.slots) == 0 {
		return 0
	}
	h := maphash.Bytes(x.seed, key)
	mask := uint64(len(x.slots) - 1)
	for at := h & mask; ; at = (at + 1) & mask {
		slot := x.slots[at]
		if slot.entry == 0 || slot.hash == uint32(h>>32) && k.At(slot.entry).Key == string(key) {
			return slot.entry
		}
	}
}

// put adds an entry, of which the key is not there yet.
func (k *Keyspace) put(id EntryID) {
	x := &k.index
	if 4*(x.used+1) > 3*len(x.slots) {
		if x.slots == nil {
			x.seed = maphash.MakeSeed()
		}
		x.slots = make([]keySlot, max(minKeys, 2*len(x.slots)))
		for other, e := range k.All() {
			if other != id {
				x.place(e.Key, other)
			}
		}
	}
	x.used++
	x.place(k.At(id).Key, id)
}

func (x *keyIndex) place(key string, id EntryID) {
	h := maphash.String(x.seed, key)
	mask := uint64(len(x.slots) - 1)
	at := h & mask
	for x.slots[at].entry != 0 {
		at = (at + 1) & mask
	}
	x.slots[at] = keySlot{uint32(h >> 32), id}
}
