package seen

import (
	"errors"
	"fmt"
	"slices"

	"github.com/etcdsift/etcdsift/analyzer/evidence"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode"
)

func readError(page report.Page, off int64, err error) error {
	what := "value"
	if number, ok := page.Number(); ok {
		what = fmt.Sprintf("page %d, value", number)
	}
	return &decode.FormatError{Off: off, What: what, Err: err}
}

// AddUnread adds to the damage what one of the files did not give and nobody told of.
func (ev *Evidence) AddUnread(source *evidence.Source) {
	d, ok := source.File.(*evidence.Reader)
	if !ok {
		return
	}
	failed, more := d.Unread()
	ev.DamageMore += more
	for _, f := range failed {
		told := slices.ContainsFunc(ev.Damage, func(have report.Damage) bool {
			return have.Path == source.Path && f.Off <= have.Offset && have.Offset < f.Off+f.N
		})
		if !told {
			ev.AddDamageIn(source.Path, ev.pageSizeOf(source), &decode.FormatError{Off: f.Off, What: fmt.Sprintf("%d bytes", f.N), Err: f.Err})
		}
	}
}

// pageSizeOf is the size of the pages of a file, 0 if it has none.
func (ev *Evidence) pageSizeOf(source *evidence.Source) int {
	if source.Kind == report.KindWAL {
		return 0
	}
	return ev.DB.PageSize
}

// maxDamage bounds the damage that one report lists for one file.
const maxDamage = 1000

func (ev *Evidence) AddDamage(err error) { ev.AddDamageIn(ev.Path, ev.DB.PageSize, err) }

// AddDamageIn notes damage in a file with pages of that size, 0 for none.
func (ev *Evidence) AddDamageIn(path report.Text, pageSize int, err error) {
	d := report.Damage{Path: path, What: err.Error()}
	var format *decode.FormatError
	if errors.As(err, &format) {
		d.Offset = format.Off
		d.What = fmt.Sprintf("%s: %v", format.What, format.Err)
		d.Page = report.PageAt(format.Off, pageSize)
	}
	if len(ev.Damage) == maxDamage {
		ev.DamageMore++
		return
	}
	ev.Damage = append(ev.Damage, d)
}
