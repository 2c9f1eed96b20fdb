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

// Compare puts the copies of all subjects in order, and compares those of Secrets with what the
// Secrets hold now. It reads values, and may ask a KMS. Its error is that of ctx, or an
// *encryption.KMSError.
func (j *Judge) Compare(ctx context.Context) error {
	errs := make([]error, runtime.GOMAXPROCS(0))
	inParts(j.exposed, func(part, first, end int) {
		c := comparer{ctx: ctx, evs: j.evs, validities: map[string]*report.Validity{}, uses: map[string]report.Use{}}
		for _, s := range j.exposed[first:end] {
			if errs[part] = cmp.Or(errs[part], ctx.Err()); errs[part] != nil {
				return
			}
			errs[part] = c.compare(s)
		}
	})
	return cmp.Or(errs...)
}

// A comparer compares the copies of some Secrets with what they hold now, while others do so for
// other Secrets. It only reads what they share.
type comparer struct {
	ctx context.Context
	evs []*seen.Evidence // shared

	validities map[string]*report.Validity // see share

	// Of the Secret at hand.
	copies    []seen.CopyIn
	data, now []seen.NamedDatum     // of one copy, and of the newest value
	uses      map[string]report.Use // by the name of a datum
}

// compare puts the copies of a subject in order, and if it is a Secret finds out its form and
// validity.
func (c *comparer) compare(s *Subject) error {
	slices.SortStableFunc(s.copies, func(x, y seen.CopyID) int { return compareCopies(x.In(c.evs), y.In(c.evs)) })
	if s.id.GroupResource != seen.Secrets {
		return nil
	}
	c.copies = s.appendCopies(c.copies[:0], c.evs)
	s.form = describe(c.copies)
	var err error
	s.validity, err = c.validity(s, s.form.DataKeys)
	return err
}

// describe is the type and the names of the data of a Secret, by the newest copy that tells them. A
// copy that is not whole tells them only if no whole one does: what it has is exposed, too.
func describe(copies []seen.CopyIn) *seen.Form {
	for _, whole := range []bool{true, false} {
		for _, at := range slices.Backward(copies) {
			if at.Complete != whole {
				continue
			}
			if f := at.In.Contents.FormOf(at.Holds); f.Kind != "" || len(f.DataKeys) > 0 {
				return f
			}
		}
	}
	return &seen.Form{}
}

// validity tells which data of the copies of a Secret it still holds. dataKeys are the names of
// data that are reported even if no copy of them can be compared.
func (c *comparer) validity(s *Subject, dataKeys []report.Text) (*report.Validity, error) {
	uses := c.uses
	clear(uses)
	switch {
	case s.state == report.StateUnknown:
		// Nobody knows what the Secret holds now.
	case c.onlyNewest(s):
		for _, name := range dataKeys {
			uses[string(name)] = report.Unchanged
		}
	case s.comparable():
		if err := c.compareEach(uses, s); err != nil {
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
	} else if s.state == report.StateDeleted {
		v.Status = report.Gone
	}
	return c.share(v), nil
}

// share returns v, or an equal one that was made before: many Secrets have the same data keys.
func (c *comparer) share(v report.Validity) *report.Validity {
	key := []byte(v.Status)
	for _, d := range v.DataKeys {
		key = append(append(binary.AppendUvarint(key, uint64(len(d.Name))), d.Name...), d.Status...)
	}
	other := c.validities[string(key)]
	if other == nil {
		other = &v
		c.validities[string(key)] = other
	}
	return other
}

// onlyNewest reports whether the newest value, whole, is the only plaintext copy.
func (c *comparer) onlyNewest(s *Subject) bool {
	e := s.newest
	return e != nil && !e.Broken && len(c.copies) == 1 && c.copies[0].Complete && s.isNewest(c.copies[0])
}

// comparable reports whether the data that a Secret holds now can be told: there is none, or its
// newest value is plaintext or was opened. Otherwise its copies need not be read.
func (s *Subject) comparable() bool {
	if s.state == report.StateDeleted {
		return true
	}
	e := s.newest
	return e != nil && !e.Broken && (s.in.Keys.Storages[e.Storage].Provider == envelope.Identity || e.Proved().Outcome == seen.Proven)
}

// compareEach compares every copy of a Secret with what it holds now, and notes in uses what
// became of each datum.
func (c *comparer) compareEach(uses map[string]report.Use, s *Subject) error {
	current, known, err := c.current(s)
	if err != nil {
		return err
	}
	for _, at := range c.copies {
		if at.Object {
			c.data, _ = at.In.Contents.DataOf(c.data[:0], at.Holds)
			compareData(uses, c.data, current, known)
		}
	}
	if slices.ContainsFunc(c.copies, func(at seen.CopyIn) bool { return !at.Object }) {
		return c.comparePieces(uses, s)
	}
	return nil
}

// compareData compares the data of one copy with the current ones; known says whether these are. Of
// several copies of a datum the one that is most in use counts.
func compareData(uses map[string]report.Use, data, current []seen.NamedDatum, known bool) {
	for _, d := range data {
		use := report.UseUnknown
		if known {
			use = report.Gone
			for _, now := range current {
				switch {
				case now.Datum == d.Datum && (now.Name == d.Name || d.Size >= minDatum): // under another name it is in use, too
					use = report.Unchanged
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

// minDatum is the least length, in bytes, of a datum that is looked for in a piece of a value or
// under another name: a shorter one may be there by chance.
const minDatum = 8

// comparePieces looks for current data in the copies that are pieces from the middle of a value.
func (c *comparer) comparePieces(uses map[string]report.Use, s *Subject) error {
	current, wipe, _, err := c.readCurrent(s)
	if err != nil {
		return err
	}
	defer wipe()
	for _, at := range c.copies {
		if at.Object {
			continue
		}
		piece, err := at.In.ReadCopy(at.Copy)
		if err != nil {
			continue // the file keeps the error for AddUnread
		}
		findData(uses, piece, current)
		clear(piece)
	}
	return nil
}

// findData notes in uses the current data that a piece has.
func findData(uses map[string]report.Use, piece []byte, current []object.Datum) {
	for _, now := range current {
		if len(now.Value) >= minDatum && bytes.Contains(piece, now.Value) {
			uses[now.Name] = report.Unchanged
		}
	}
}

// current is the data that a Secret holds now, valid until the next call. known is false if that
// cannot be told.
func (c *comparer) current(s *Subject) (data []seen.NamedDatum, known bool, err error) {
	for _, at := range c.copies {
		if s.isNewest(at) && at.Holds != 0 {
			c.now, known = s.in.Contents.DataOf(c.now[:0], at.Holds)
			return c.now, known, nil
		}
	}
	read, wipe, known, err := c.readCurrent(s)
	if err != nil || s.in == nil {
		return nil, known, err
	}
	defer wipe()
	return s.in.Contents.Sums(read), known, nil
}

// readCurrent reads the data that a Secret holds now. known is false if that cannot be told. wipe
// clears the data and all that they were read from. The error ends the run.
func (c *comparer) readCurrent(s *Subject) (data []object.Datum, wipe func(), known bool, err error) {
	nothing := func() {}
	if s.state == report.StateDeleted {
		return nil, nothing, true, nil
	}
	e, ev := s.newest, s.in
	value, err := ev.ReadValue(e)
	if err != nil {
		return nil, nothing, false, nil // the file keeps the error for AddUnread
	}
	if ev.Keys.Storages[e.Storage].Provider != envelope.Identity {
		opened, err := e.Proved().Key.Open(c.ctx, value, []byte(e.Key))
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
