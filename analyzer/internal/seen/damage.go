package seen

import (
	"errors"
	"fmt"
	"slices"

	"github.com/etcdsift/etcdsift/analyzer/evidence"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode"
	"github.com/etcdsift/etcdsift/decode/page"
)

// maxDamage bounds the list Evidence.Damage.
const maxDamage = 1000

// AddDamage notes damage in the db. Of a *decode.FormatError it takes the position.
func (ev *Evidence) AddDamage(err error) { ev.AddDamageIn(&ev.Source, ev.DB.PageSize, err) }

// AddDamageIn is AddDamage for a file with pages of that size, 0 if it has none.
func (ev *Evidence) AddDamageIn(source *evidence.Source, pageSize int, err error) {
	d := report.Damage{Path: source.Path, What: err.Error()}
	var format *decode.FormatError
	if errors.As(err, &format) {
		d.Offset = source.Base + format.Off
		d.What = fmt.Sprintf("%s: %v", format.What, format.Err)
		d.Page = report.PageAt(format.Off, pageSize)
		d.Freelist = page.IsFreelist(err)
	}
	if len(ev.Damage) == maxDamage {
		ev.DamageMore++
		return
	}
	ev.Damage = append(ev.Damage, d)
}

// LacksNoKey reports whether all that is wrong is in the freelist, or nothing is: then the tree is
// whole, and what it does not have is not there.
func (ev *Evidence) LacksNoKey() bool {
	return ev.DamageMore == 0 && !slices.ContainsFunc(ev.Damage, func(d report.Damage) bool { return !d.Freelist })
}

// AddUnread adds to the damage what a file of the evidence did not give, where no pass told of
// it. It comes after the last read, and once more after
// any later one.
func (ev *Evidence) AddUnread(source *evidence.Source) {
	r, ok := source.File.(*evidence.Reader)
	if !ok {
		return
	}
	failed, more := r.Unread()
	ev.DamageMore += more
	for _, f := range failed {
		told := slices.ContainsFunc(ev.Damage, func(have report.Damage) bool {
			return have.Path == source.Path && f.Off <= have.Offset && have.Offset < f.Off+f.N
		})
		if !told {
			ev.AddDamageIn(source, ev.pageSizeOf(source), &decode.FormatError{Off: f.Off - source.Base, What: fmt.Sprintf("%d bytes", f.N), Err: f.Err})
		}
	}
}
