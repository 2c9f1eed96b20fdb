package seen

import (
	"encoding/binary"
	"hash/maphash"

	"github.com/etcdsift/etcdsift/analyzer/internal/mem"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode/object"
)

// contents is what the plaintext copies of Secrets hold, taken down when each is met, so
// that none must be read once more: of which form it is, and a hash of each datum. The
// hashes are of no use outside of the run, and never leave it.
type contents struct {
	seed   maphash.Seed
	forms  []Form
	byForm map[string]uint32
	names  map[string]report.Text // equal ones share their memory
	list   mem.List[content]
	data   mem.List[Datum]

	scratch []byte
}

// A Form is what many Secrets have in common.
type Form struct {
	Kind     report.Text   // such as "Opaque"
	DataKeys []report.Text // of data and stringData
	names    []report.Text // of the data that could be read
	whole    bool          // and there are no others
}

// A content is one copy: its form, and where its data are in the list of all.
type content struct {
	form, first uint32
}

// A Datum stands for the bytes of one entry of a Secret's data.
type Datum struct {
	sum  uint64
	Size uint32
}

// A NamedDatum is a datum under its name.
type NamedDatum struct {
	Name report.Text
	Datum
}

func newContents(seed maphash.Seed) *contents {
	return &contents{seed: seed, byForm: map[string]uint32{}, names: map[string]report.Text{}}
}

// Add takes down what the Secret in value holds, and numbers it from 1.
func (c *contents) Add(value []byte, off int64) int32 {
	holds := object.ParseContents(value, off)
	first := c.data.Len()
	for _, d := range holds.Data {
		c.data.Add(Datum{maphash.Bytes(c.seed, d.Value), uint32(len(d.Value))})
	}
	c.list.Add(content{c.form(&holds), uint32(first)})
	return int32(c.list.Len())
}

// form finds the form in the list, or puts it there.
func (c *contents) form(holds *object.Contents) uint32 {
	key := binary.AppendUvarint(c.scratch[:0], uint64(len(holds.Type)))
	key = append(key, holds.Type...)
	key = binary.AppendUvarint(key, uint64(len(holds.DataKeys)))
	for _, name := range holds.DataKeys {
		key = append(binary.AppendUvarint(key, uint64(len(name))), name...)
	}
	if holds.Whole {
		key = append(key, 1)
	}
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

func (c *contents) name(s string) report.Text {
	name, known := c.names[s]
	if !known {
		name = report.Text(s)
		c.names[s] = name
	}
	return name
}

// DataOf appends the data of a copy with that number, and says whether it has no others. A copy
// without a number has none that are known.
func (c *contents) DataOf(data []NamedDatum, number int32) (all []NamedDatum, whole bool) {
	if number == 0 {
		return data, false
	}
	at := c.list.At(int(number - 1))
	f := &c.forms[at.form]
	for i, name := range f.names {
		data = append(data, NamedDatum{name, *c.data.At(int(at.first) + i)})
	}
	return data, f.whole
}

// FormOf is the form of a copy with that number; the zero form for none.
func (c *contents) FormOf(number int32) Form {
	if number == 0 {
		return Form{}
	}
	return c.forms[c.list.At(int(number-1)).form]
}

// Sums are the data of a Secret that is not kept.
func (c *contents) Sums(data []object.Datum) []NamedDatum {
	out := make([]NamedDatum, len(data))
	for i, d := range data {
		out[i] = NamedDatum{report.Text(d.Name), Datum{maphash.Bytes(c.seed, d.Value), uint32(len(d.Value))}}
	}
	return out
}
