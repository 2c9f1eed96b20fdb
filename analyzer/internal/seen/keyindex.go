package seen

import (
	"hash/maphash"
)

// A keyIndex finds the entry of a key, in the 8 bytes that a part of its hash and an EntryID
// take: a Go map would take three times as much.
type keyIndex struct {
	seed  maphash.Seed // set with the first slots
	slots []keySlot    // a power of two of them; nil without a key
	used  int
}

// A keySlot has an entry, and the upper half of the hash of its key. It is free if entry is 0.
type keySlot struct {
	hash  uint32
	entry EntryID
}

// minKeys is how many slots a keyIndex has at the least.
const minKeys = 1 << 10

// Find is the entry of a key, 0 if there is none.
func (k *Keyspace) Find(key []byte) EntryID {
	x := &k.index
	if len(x.slots) == 0 {
		return 0
	}
	h := maphash.Bytes(x.seed, key)
	mask := uint64(len(x.slots) - 1)
	for i := h & mask; ; i = (i + 1) & mask {
		slot := x.slots[i]
		if slot.entry == 0 || slot.hash == uint32(h>>32) && k.At(slot.entry).Key == string(key) {
			return slot.entry
		}
	}
}

// put adds an entry to the index. No other entry has its key.
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

// place puts an entry into the first free slot from that of its hash on.
func (x *keyIndex) place(key string, id EntryID) {
	h := maphash.String(x.seed, key)
	mask := uint64(len(x.slots) - 1)
	i := h & mask
	for x.slots[i].entry != 0 {
		i = (i + 1) & mask
	}
	x.slots[i] = keySlot{uint32(h >> 32), id}
}
