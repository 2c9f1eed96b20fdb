package analyzer

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/etcdsift/etcdsift/decode/envelope"
	"github.com/etcdsift/etcdsift/decode/object"
)

// Use says whether what was exposed is still in use.
type Use string

// The uses, from the one to worry about most. Unchanged is to be rotated now; Gone was
// deleted, which does not make it invalid elsewhere.
const (
	Unchanged  Use = "unchanged"
	UseUnknown Use = "unknown" // the current value can not be decrypted, or the old one is no longer whole
	Changed    Use = "changed"
	Gone       Use = "gone"
)

// Validity compares the exposed copies of a Secret with its current value. Status is the
// gravest of the data; it holds no values, and no hashes of any.
type Validity struct {
	Status   Use        `json:"status"`
	DataKeys []DatumUse `json:"dataKeys"`
}

// A DatumUse is whether one datum of an exposed Secret is still in use.
type DatumUse struct {
	Name   Text `json:"name"`
	Status Use  `json:"status"`
}

// useOrder is the order of gravity.
var useOrder = []Use{Unchanged, UseUnknown, Changed, Gone}

func (u Use) compare(o Use) int {
	return cmp.Compare(slices.Index(useOrder, u), slices.Index(useOrder, o))
}

// validity compares the exposed copies of a Secret, in memory, with what it holds now.
func (b *exposer) validity(k *keyInScope, dataKeys []Text) *Validity {
	uses := map[string]Use{}
	switch {
	case b.onlyNewest(k):
		for _, name := range dataKeys {
			uses[string(name)] = Unchanged // it is what is in use
		}
	case k.comparable():
		b.compareCopies(uses, k)
	}
	for _, name := range dataKeys {
		if _, ok := uses[string(name)]; !ok {
			uses[string(name)] = UseUnknown
		}
	}
	v := Validity{Status: UseUnknown, DataKeys: make([]DatumUse, 0, len(uses))}
	for name, use := range uses {
		v.DataKeys = append(v.DataKeys, DatumUse{Text(name), use})
	}
	slices.SortFunc(v.DataKeys, func(x, y DatumUse) int { return cmp.Compare(x.Name, y.Name) })
	if len(v.DataKeys) > 0 {
		v.Status = slices.MinFunc(v.DataKeys, func(x, y DatumUse) int { return x.Status.compare(y.Status) }).Status
	} else if k.state == StateDeleted {
		v.Status = Gone
	}
	return b.shared(v)
}

// shared is v, or an equal one that was made before: many Secrets have the same data keys.
func (b *exposer) shared(v Validity) *Validity {
	key := []byte(v.Status)
	for _, d := range v.DataKeys {
		key = append(append(binary.AppendUvarint(key, uint64(len(d.Name))), d.Name...), d.Status...)
	}
	have := b.validities[string(key)]
	if have == nil {
		have = &v
		b.validities[string(key)] = have
	}
	return have
}

// onlyNewest reports whether the newest value is the one plaintext copy.
func (b *exposer) onlyNewest(k *keyInScope) bool {
	e := k.newest
	return e != nil && !e.broken && len(b.copies) == 1 && b.copies[0].complete && k.isNewest(b.copies[0])
}

// comparable reports whether the current value can be told: without the key that opens
// it the copies need not be read.
func (k *keyInScope) comparable() bool {
	if k.state == StateDeleted {
		return true
	}
	e := k.newest
	return e != nil && !e.broken && (k.in.keys.stored[e.stored].provider == envelope.Identity || e.proved().outcome == proven)
}

// compareCopies compares every copy of a Secret with what it holds now.
func (b *exposer) compareCopies(uses map[string]Use, k *keyInScope) {
	current, known := b.current(k)
	for _, c := range b.copies {
		if c.object {
			b.data, _ = c.in.contents.of(b.data[:0], c.holds)
			compareData(uses, b.data, current, known)
		}
	}
	if slices.ContainsFunc(b.copies, func(c seen) bool { return !c.object }) {
		b.comparePieces(uses, k)
	}
}

// compareData compares the data of one exposed copy with the current ones. Of several
// copies, the one whose datum is still in use counts.
func compareData(uses map[string]Use, data, current []namedDatum, known bool) {
	for _, d := range data {
		use := UseUnknown
		if known {
			use = Gone
			for _, now := range current {
				switch {
				case now.datum == d.datum && (now.name == d.name || d.size >= minDatum):
					use = Unchanged // under another name, too
				case now.name == d.name && use == Gone:
					use = Changed
				}
			}
		}
		if have, ok := uses[string(d.name)]; !ok || use.compare(have) < 0 {
			uses[string(d.name)] = use
		}
	}
}

// minDatum is the least length of a datum that is looked for in a piece of a value, in
// bytes: a shorter one may be there by chance.
const minDatum = 8

// comparePieces looks for current data in the pieces from the middle of exposed copies.
func (b *exposer) comparePieces(uses map[string]Use, k *keyInScope) {
	current, wipe, _ := b.readCurrent(k)
	defer wipe()
	for _, c := range b.copies {
		if c.object {
			continue
		}
		piece, err := c.in.readSighting(c.sighting)
		if err != nil {
			continue // the disk tells (addUnread)
		}
		findData(uses, piece, current)
		clear(piece)
	}
}

// findData looks for current data in a piece.
func findData(uses map[string]Use, piece []byte, current []object.Datum) {
	for _, now := range current {
		if len(now.Value) >= minDatum && bytes.Contains(piece, now.Value) {
			uses[now.Name] = Unchanged
		}
	}
}

// current is the data that a Secret has now, of use until the next call; false if that can
// not be told.
func (b *exposer) current(k *keyInScope) (data []namedDatum, known bool) {
	for _, c := range b.copies {
		if k.isNewest(c) && c.holds != 0 {
			b.now, known = k.in.contents.of(b.now[:0], c.holds)
			return b.now, known
		}
	}
	read, wipe, known := b.readCurrent(k)
	defer wipe()
	if k.in == nil {
		return nil, known
	}
	return k.in.contents.sums(read), known
}

// isNewest reports whether a copy is the newest value.
func (k *keyInScope) isNewest(c seen) bool {
	e := k.newest
	return e != nil && c.in == k.in && c.file == e.file && c.off == e.off
}

// readCurrent reads the data that a Secret has now. wipe clears all that it was read
// from.
func (b *exposer) readCurrent(k *keyInScope) (data []object.Datum, wipe func(), known bool) {
	nothing := func() {}
	if k.state == StateDeleted {
		return nil, nothing, true
	}
	e, s := k.newest, k.in
	value := make([]byte, e.size)
	if err := s.source(e.file).readAt(value, e.off); err != nil {
		return nil, nothing, false
	}
	if s.keys.stored[e.stored].provider != envelope.Identity {
		opened, err := e.proved().key.Open(b.ctx, value, []byte(e.key))
		if err != nil {
			b.err = cmp.Or(b.err, err)
			return nil, nothing, false
		}
		value = opened.Plain
	}
	data, whole, err := object.ParseSecretData(value, e.off)
	return data, func() {
		clear(value)
		for _, d := range data {
			clear(d.Value) // which JSON has in base64
		}
	}, whole && err == nil
}
