package judge

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"runtime"
	"slices"

	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode/envelope"
	"github.com/etcdsift/etcdsift/decode/object"
)

// A comparer compares the exposed copies of some Secrets with what they hold now, beside
// others that do so at the same time: what they share they only read. It reads values, and may
// ask a KMS.
type comparer struct {
	*Judge
	ctx        context.Context
	validities map[string]*report.Validity
	copies     []seen.CopyIn // of the key at hand
	data, now  []seen.NamedDatum
}

// Compare puts the copies of all keys in order, and compares those of Secrets with what
// they hold now. Its error is that of ctx, or an *encryption.KMSError.
func (b *Judge) Compare(ctx context.Context, keys []*Subject) error {
	errs := make([]error, runtime.GOMAXPROCS(0))
	inParts(keys, func(part, lo, hi int) {
		c := comparer{Judge: b, ctx: ctx, validities: map[string]*report.Validity{}}
		for _, k := range keys[lo:hi] {
			if errs[part] = cmp.Or(errs[part], ctx.Err()); errs[part] != nil {
				return
			}
			errs[part] = c.compare(k)
		}
	})
	return cmp.Or(errs...)
}

// compare puts the copies of a key in order, and tells of a Secret whether it is still in use.
func (b *comparer) compare(k *Subject) error {
	slices.SortStableFunc(k.copies, func(x, y seen.CopyID) int { return compareSeen(x.In(b.surveys), y.In(b.surveys)) })
	if k.id.GroupResource != seen.Secrets {
		return nil
	}
	b.copies = k.seen(b.copies[:0], b.surveys)
	k.form = describe(b.copies)
	var err error
	k.validity, err = b.validity(k, k.form.DataKeys)
	return err
}

// describe is the type and the names of the data of a Secret, out of the newest copy that
// tells them. A value that is no object, or a broken one, is readable all the same: what could
// be made out of it is told.
func describe(copies []seen.CopyIn) seen.Form {
	for _, whole := range []bool{true, false} {
		for _, c := range slices.Backward(copies) {
			if c.Complete != whole {
				continue
			}
			if f := c.In.Contents.FormOf(c.Holds); f.Kind != "" || len(f.DataKeys) > 0 {
				return f
			}
		}
	}
	return seen.Form{}
}

// validity compares the exposed copies of a Secret, in memory, with what it holds now.
func (b *comparer) validity(k *Subject, dataKeys []report.Text) (*report.Validity, error) {
	uses := map[string]report.Use{}
	switch {
	case b.onlyNewest(k):
		for _, name := range dataKeys {
			uses[string(name)] = report.Unchanged // it is what is in use
		}
	case k.comparable():
		if err := b.compareCopies(uses, k); err != nil {
			return nil, err
		}
	}
	for _, name := range dataKeys {
		if _, ok := uses[string(name)]; !ok {
			uses[string(name)] = report.UseUnknown
		}
	}
	v := report.Validity{Status: report.UseUnknown, DataKeys: make([]report.DatumUse, 0, len(uses))}
	for name, use := range uses {
		v.DataKeys = append(v.DataKeys, report.DatumUse{Name: report.Text(name), Status: use})
	}
	slices.SortFunc(v.DataKeys, func(x, y report.DatumUse) int { return cmp.Compare(x.Name, y.Name) })
	if len(v.DataKeys) > 0 {
		v.Status = slices.MinFunc(v.DataKeys, func(x, y report.DatumUse) int { return x.Status.Compare(y.Status) }).Status
	} else if k.state == report.StateDeleted {
		v.Status = report.Gone
	}
	return b.shared(v), nil
}

// shared is v, or an equal one that was made before: many Secrets have the same data keys.
func (b *comparer) shared(v report.Validity) *report.Validity {
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
func (b *comparer) onlyNewest(k *Subject) bool {
	e := k.newest
	return e != nil && !e.Broken && len(b.copies) == 1 && b.copies[0].Complete && k.isNewest(b.copies[0])
}

// comparable reports whether the current value can be told: without the key that opens
// it the copies need not be read.
func (k *Subject) comparable() bool {
	if k.state == report.StateDeleted {
		return true
	}
	e := k.newest
	return e != nil && !e.Broken && (k.in.Keys.Storages[e.Storage].Provider == envelope.Identity || e.Proved().Outcome == seen.Proven)
}

// compareCopies compares every copy of a Secret with what it holds now.
func (b *comparer) compareCopies(uses map[string]report.Use, k *Subject) error {
	current, known, err := b.current(k)
	if err != nil {
		return err
	}
	for _, c := range b.copies {
		if c.Object {
			b.data, _ = c.In.Contents.DataOf(b.data[:0], c.Holds)
			compareData(uses, b.data, current, known)
		}
	}
	if slices.ContainsFunc(b.copies, func(c seen.CopyIn) bool { return !c.Object }) {
		return b.comparePieces(uses, k)
	}
	return nil
}

// compareData compares the data of one exposed copy with the current ones. Of several
// copies, the one whose datum is still in use counts.
func compareData(uses map[string]report.Use, data, current []seen.NamedDatum, known bool) {
	for _, d := range data {
		use := report.UseUnknown
		if known {
			use = report.Gone
			for _, now := range current {
				switch {
				case now.Datum == d.Datum && (now.Name == d.Name || d.Size >= minDatum):
					use = report.Unchanged // under another name, too
				case now.Name == d.Name && use == report.Gone:
					use = report.Changed
				}
			}
		}
		if have, ok := uses[string(d.Name)]; !ok || use.Compare(have) < 0 {
			uses[string(d.Name)] = use
		}
	}
}

// minDatum is the least length of a datum that is looked for in a piece of a value, in
// bytes: a shorter one may be there by chance.
const minDatum = 8

// comparePieces looks for current data in the pieces from the middle of exposed copies.
func (b *comparer) comparePieces(uses map[string]report.Use, k *Subject) error {
	current, wipe, _, err := b.readCurrent(k)
	if err != nil {
		return err
	}
	defer wipe()
	for _, c := range b.copies {
		if c.Object {
			continue
		}
		piece, err := c.In.ReadSighting(c.Copy)
		if err != nil {
			continue // the disk tells (addUnread)
		}
		findData(uses, piece, current)
		clear(piece)
	}
	return nil
}

// findData looks for current data in a piece.
func findData(uses map[string]report.Use, piece []byte, current []object.Datum) {
	for _, now := range current {
		if len(now.Value) >= minDatum && bytes.Contains(piece, now.Value) {
			uses[now.Name] = report.Unchanged
		}
	}
}

// current is the data that a Secret has now, of use until the next call; false if that can
// not be told.
func (b *comparer) current(k *Subject) (data []seen.NamedDatum, known bool, err error) {
	for _, c := range b.copies {
		if k.isNewest(c) && c.Holds != 0 {
			b.now, known = k.in.Contents.DataOf(b.now[:0], c.Holds)
			return b.now, known, nil
		}
	}
	read, wipe, known, err := b.readCurrent(k)
	if err != nil || k.in == nil {
		return nil, known, err
	}
	defer wipe()
	return k.in.Contents.Sums(read), known, nil
}

// isNewest reports whether a copy is the newest value.
func (k *Subject) isNewest(c seen.CopyIn) bool {
	e := k.newest
	return e != nil && c.In == k.in && c.File == e.File && c.Off == e.Off
}

// readCurrent reads the data that a Secret has now; false if that can not be told. wipe
// clears all that it was read from. The error ends the run.
func (b *comparer) readCurrent(k *Subject) (data []object.Datum, wipe func(), known bool, err error) {
	nothing := func() {}
	if k.state == report.StateDeleted {
		return nil, nothing, true, nil
	}
	e, ev := k.newest, k.in
	value := make([]byte, e.Size)
	if err := ev.SourceOf(e.File).ReadFull(value, e.Off); err != nil {
		return nil, nothing, false, nil // the disk tells (addUnread)
	}
	if ev.Keys.Storages[e.Storage].Provider != envelope.Identity {
		opened, err := e.Proved().Key.Open(b.ctx, value, []byte(e.Key))
		if err != nil {
			return nil, nothing, false, err
		}
		value = opened.Plain
	}
	data, whole, err := object.ParseSecretData(value, e.Off)
	return data, func() {
		clear(value)
		for _, d := range data {
			clear(d.Value) // which JSON has in base64
		}
	}, whole && err == nil, nil
}
