package seen

import (
	"encoding/binary"
	"hash/maphash"

	"github.com/etcdsift/etcdsift/analyzer/internal/mem"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode/object"
)

// Contents are what the plaintext copies of Secrets hold: the form of each, and a hash of each
// datum. The sweep takes them down when it meets a copy, so that no pass must read it again. The
// hashes mean nothing outside of the run, and never leave it.
type Contents struct {
	seed   maphash.Seed
	forms  []Form
	byForm map[string]uint32      // index in forms, by all that a Form holds
	names  map[string]report.Text // equal ones share their memory
	list   mem.List[content]      // by number less one
	data   mem.List[Datum]        // of all copies, one after the other

	scratch []byte // of form
}

// A ContentID is what one plaintext copy of a Secret holds; 0 is none.
type ContentID uint32

// A Form is what many Secrets have in common.
type Form struct {
	Kind     report.Text   // the type, such as "Opaque"
	DataKeys []report.Text // of data and stringData
	names    []report.Text // of the data that could be read
	whole    bool          // and there are no others
}

// A content is one copy: the indexes of its form and of the first of its data.
type content struct {
	form, first uint32
}

// A Datum stands for the bytes of one entry of a Secret's data. Equal bytes give equal ones.
type Datum struct {
	sum  uint64
	Size uint32 // in bytes
}

// A NamedDatum is a datum under its name.
type NamedDatum struct {
	Name report.Text
	Datum
}

func newContents(seed maphash.Seed) *Contents {
	return &Contents{seed: seed, byForm: map[string]uint32{}, names: map[string]report.Text{}}
}

// Add takes down what the Secret in value holds, which starts at off, and returns its ID.
func (c *Contents) Add(value []byte, off int64) ContentID {
	holds := object.ParseContents(value, off)
	first := c.data.Len()
	for _, d := range holds.Data {
		c.data.Add(c.datum(d))
	}
	c.list.Add(content{c.form(&holds), uint32(first)})
	return ContentID(c.list.Len())
}

// FormOf is the form of the copy with that ID, the zero Form for 0. It is good until the next Add.
func (c *Contents) FormOf(id ContentID) *Form {
	if id == 0 {
		return &Form{}
	}
	return &c.forms[c.list.At(int(id-1)).form]
}

// DataOf appends to data those of the copy with that ID, and reports whether it has no
// others. With 0 nothing is known.
func (c *Contents) DataOf(data []NamedDatum, id ContentID) (all []NamedDatum, whole bool) {
	if id == 0 {
		return data, false
	}
	at := c.list.At(int(id - 1))
	f := &c.forms[at.form]
	for i, name := range f.names {
		data = append(data, NamedDatum{name, *c.data.At(int(at.first) + i)})
	}
	return data, f.whole
}

// Sums are the data of a Secret that is not among the copies, to compare with theirs.
func (c *Contents) Sums(data []object.Datum) []NamedDatum {
	out := make([]NamedDatum, len(data))
	for i, d := range data {
		out[i] = NamedDatum{report.Text(d.Name), c.datum(d)}
	}
	return out
}

func (c *Contents) datum(d object.Datum) Datum {
	return Datum{maphash.Bytes(c.seed, d.Value), uint32(len(d.Value))}
}

// form finds the form in the list, or adds it. It does not allocate if it is there.
func (c *Contents) form(holds *object.Contents) uint32 {
	key := binary.AppendUvarint(c.scratch[:0], uint64(len(holds.Type)))
	key = append(key, holds.Type...)
	key = binary.AppendUvarint(key, uint64(len(holds.DataKeys)))
	for _, name := range holds.DataKeys {
		key = append(binary.AppendUvarint(key, uint64(len(name))), name...)
	}
	whole := byte(0)
	if holds.Whole {
		whole = 1
	}
	key = append(key, whole)
	for _, d := range holds.Data {
		key = append(binary.AppendUvarint(key, uint64(len(d.Name))), d.Name...)
	}
	c.scratch = key
	i, known := c.byForm[string(key)]
	if !known {
		i = uint32(len(c.forms))
		f := Form{Kind: c.name(holds.Type), whole: holds.Whole, DataKeys: []report.Text{}}
		for _, name := range holds.DataKeys {
			f.DataKeys = append(f.DataKeys, c.name(name))
		}
		for _, d := range holds.Data {
			f.names = append(f.names, c.name(d.Name))
		}
		c.byForm[string(key)] = i
		c.forms = append(c.forms, f)
	}
	return i
}

func (c *Contents) name(s string) report.Text {
	name, known := c.names[s]
	if !known {
		name = report.Text(s)
		c.names[s] = name
	}
	return name
}
