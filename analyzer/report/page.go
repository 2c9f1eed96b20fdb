package report

import (
	"encoding/json"
	"fmt"
	"math"
)

// A Page is the number of a page of a db. The zero Page stands for no page, as in a WAL
// segment: page 0 is that of a meta.
type Page struct{ next uint64 } // the number, plus one

// PageOf is the page of that number, which is below 2^64-1.
func PageOf(number uint64) Page { return Page{number + 1} }

// PageAt is the page that holds an offset, the zero Page if pages have no size.
func PageAt(off int64, pageSize int) Page {
	if pageSize <= 0 || off < 0 {
		return Page{}
	}
	return PageOf(uint64(off) / uint64(pageSize))
}

// Number is the page's number, and whether there is one.
func (p Page) Number() (number uint64, ok bool) { return p.next - 1, p.next != 0 }

// Equal reports whether two pages are the same, or both the zero Page.
func (p Page) Equal(other Page) bool { return p == other }

// IsZero reports whether there is no page, for omitzero.
func (p Page) IsZero() bool { return p.next == 0 }

// MarshalJSON writes the number, null for the zero Page.
func (p Page) MarshalJSON() ([]byte, error) {
	if p.IsZero() {
		return []byte("null"), nil
	}
	return json.Marshal(p.next - 1)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (p *Page) UnmarshalJSON(b []byte) error {
	var number *uint64
	if err := json.Unmarshal(b, &number); err != nil {
		return err
	}
	switch {
	case number == nil:
		*p = Page{}
	case *number == math.MaxUint64:
		return fmt.Errorf("page %d", *number)
	default:
		*p = PageOf(*number)
	}
	return nil
}
