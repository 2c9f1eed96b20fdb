package analyzer

import "hash/maphash"

// A keyIndex finds the entry of a key, in the 8 bytes that a hash and a number take: a
// map of the language takes three times as much.
type keyIndex struct {
	seed  maphash.Seed
	slots []keySlot // a power of two of them
	used  int
}

// A keySlot has the number of an entry plus one, 0 for none, and a part of the hash of
// its key.
type keySlot struct {
	hash  uint32
	entry uint32
}

// minKeys is how many places a keyIndex has at the least.
const minKeys = 1 << 10

// find is the number of the entry of a key.
func (k *keyspace) find(key []byte) (i int32, known bool) {
	x := &k.index
	if len(x.slots) == 0 {
		return 0, false
	}
	h := maphash.Bytes(x.seed, key)
	mask := uint64(len(x.slots) - 1)
	for at := h & mask; ; at = (at + 1) & mask {
		slot := x.slots[at]
		if slot.entry == 0 {
			return 0, false
		}
		if slot.hash == uint32(h>>32) && k.entries.at(int(slot.entry-1)).key == string(key) {
			return int32(slot.entry - 1), true
		}
	}
}

// put adds the entry of that number, of which the key is not there yet.
func (k *keyspace) put(i int32) {
	x := &k.index
	if 4*(x.used+1) > 3*len(x.slots) {
		if x.slots == nil {
			x.seed = maphash.MakeSeed()
		}
		x.slots = make([]keySlot, max(minKeys, 2*len(x.slots)))
		for n, e := range k.entries.all() {
			if n < x.used {
				x.place(e.key, int32(n))
			}
		}
	}
	x.used++
	x.place(k.entries.at(int(i)).key, i)
}

func (x *keyIndex) place(key string, i int32) {
	h := maphash.String(x.seed, key)
	mask := uint64(len(x.slots) - 1)
	at := h & mask
	for x.slots[at].entry != 0 {
		at = (at + 1) & mask
	}
	x.slots[at] = keySlot{uint32(h >> 32), uint32(i) + 1}
}
