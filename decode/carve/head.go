package carve

import (
	"encoding/binary"

	"github.com/etcdsift/etcdsift/decode/internal/keyvalue"
	"github.com/etcdsift/etcdsift/decode/internal/wire"
)

const (
	// maxKey bounds the length of a key that keyBefore looks for. The API server's are
	// shorter than a tenth of that.
	maxKey = 4 << 10

	// usualKey bounds it where many such searches were in vain.
	usualKey = 256
)

// The tags of mvccpb.KeyValue, in the order in which etcd writes them.
const (
	tagKey     = keyvalue.Key<<3 | 2
	tagCreate  = keyvalue.CreateRevision << 3
	tagMod     = keyvalue.ModRevision << 3
	tagVersion = keyvalue.Version << 3
	tagValue   = keyvalue.Value<<3 | 2
	tagLease   = keyvalue.Lease << 3
)

// A head is where the parts of a KeyValue are, as far as its value.
type head struct {
	Head
	start  int // of the KeyValue, or of the bucket's key before it
	value  int // where the value starts
	length int // of the value, as far as it could be; never trusted
}

// plausible repeats what mvcc.ParseRecord asks of a KeyValue.
func (h *head) plausible() bool {
	return 0 < h.CreateRevision && h.CreateRevision <= h.ModRevision && h.Version > 0
}

// headBefore reads the head of a KeyValue backwards from its value, which starts
// at sig; low is where it may begin at the earliest. All but the length of the key
// can be read in one way only: the last byte of a varint is below 0x80, those before
// it are not, and every tag is below 0x80.
func (s *scanner) headBefore(low, sig int) (head, bool) {
	var f [4]uint64
	at := sig
	for i, tag := range [...]byte{tagValue, tagVersion, tagMod, tagCreate} {
		v, start := varintBefore(s.b, low, at)
		if start <= low || s.b[start-1] != tag || v>>63 != 0 {
			return head{}, false
		}
		f[i], at = v, start-1
	}
	h := head{value: sig, length: clamp(f[0])}
	h.CreateRevision, h.ModRevision, h.Version = int64(f[3]), int64(f[2]), int64(f[1])
	if !h.plausible() {
		return head{}, false
	}
	start, key := s.keyBefore(low, at, h.ModRevision)
	if start < 0 {
		return head{}, false
	}
	h.Key, h.start = string(s.b[key:at]), start
	if sub, ok := s.revisionBefore(low, start, h.ModRevision); ok {
		h.Sub, h.SubKnown, h.start = sub, true, start-keyvalue.RevisionSize
	}
	return h, true
}

// keyBefore finds the key that ends at end, and its length and tag before it. Of several
// lengths that fit, the one with the bucket's key before it counts; else the shortest of a
// key that starts with a slash; else the shortest.
func (s *scanner) keyBefore(low, end int, mod int64) (start, key int) {
	start = -1
	slash := false
	longest := maxKey
	if s.keyTries <= 0 {
		longest = usualKey
	}
	for n := 1; n <= longest; n++ {
		s.keyTries--
		k := end - n
		at := k - 2
		if n > 0x7f {
			at--
		}
		if at < low {
			break
		}
		if s.b[at] != tagKey || !isLength(s.b[at+1:k], n) {
			continue
		}
		if _, ok := s.revisionBefore(low, at, mod); ok {
			return at, k
		}
		if better := s.b[k] == '/' && !slash; better || start < 0 {
			start, key, slash = at, k, s.b[k] == '/'
		}
	}
	return start, key
}

// isLength tells whether b is the varint of n, which is below 1<<14.
func isLength(b []byte, n int) bool {
	if len(b) == 1 {
		return int(b[0]) == n
	}
	return int(b[0]) == n&0x7f|0x80 && int(b[1]) == n>>7
}

// revisionBefore reads the sub revision from the bucket's key that ends at end, if that key
// is there and of the revision mod.
func (s *scanner) revisionBefore(low, end int, mod int64) (sub int64, ok bool) {
	at := end - keyvalue.RevisionSize
	if at < low || s.b[at+keyvalue.SeparatorAt] != keyvalue.Separator {
		return 0, false
	}
	sub = int64(binary.BigEndian.Uint64(s.b[at+keyvalue.SeparatorAt+1:]))
	return sub, sub >= 0 && int64(binary.BigEndian.Uint64(s.b[at:])) == mod
}

// headAfter reads the bucket's key around the separator at mark, and the KeyValue
// behind it.
func (s *scanner) headAfter(low, mark int) (head, bool) {
	start := mark - keyvalue.SeparatorAt
	kv := start + keyvalue.RevisionSize
	if start < low || kv >= len(s.b) {
		return head{}, false
	}
	h := head{start: start}
	rev := int64(binary.BigEndian.Uint64(s.b[start:]))
	h.Sub, h.SubKnown = int64(binary.BigEndian.Uint64(s.b[mark+1:])), true
	if rev <= 0 || h.Sub < 0 {
		return head{}, false
	}
	if s.b[kv] == keyvalue.TombstoneMark {
		h.Tombstone = true
		kv++
	}
	r := wire.Reader{B: s.b, Pos: kv}
	key := r.Bytes(tagKey)
	if r.Failed || len(key) == 0 {
		return head{}, false
	}
	if h.Tombstone {
		h.Key, h.ModRevision, h.value = string(key), rev, r.Pos
		return h, true
	}
	h.CreateRevision, h.ModRevision, h.Version = r.Int64(tagCreate), r.Int64(tagMod), r.Int64(tagVersion)
	if r.Failed || h.ModRevision != rev || !h.plausible() {
		return head{}, false
	}
	h.Key = string(key)
	if r.Is(tagValue) {
		h.length = clamp(r.Field(tagValue))
	}
	h.value = r.Pos
	return h, !r.Failed
}

// clamp narrows a length to one that can be added to a position.
func clamp(v uint64) int { return int(min(v, maxLength)) }

const maxLength = 1 << 30

// varintBefore reads the varint that ends at end and starts behind low; start is 0 if there
// is no varint, or it is not of the shortest form.
func varintBefore(b []byte, low, end int) (v uint64, start int) {
	at := end - 1
	if at < low || b[at] > 0x7f {
		return 0, 0
	}
	for at > low && b[at-1] > 0x7f && end-at < binary.MaxVarintLen64 {
		at--
	}
	v, n := binary.Uvarint(b[at:end])
	if n != end-at || n > 1 && b[end-1] == 0 {
		return 0, 0
	}
	return v, at
}
