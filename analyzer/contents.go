package analyzer

import (
	"encoding/binary"
	"hash/maphash"
	"slices"
	"strings"

	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode/object"
)

// contents is what the plaintext copies of Secrets hold, taken down when each is met, so
// that none must be read once more: of which form it is, and a hash of each datum. The
// hashes are of no use outside of the run, and never leave it.
type contents struct {
	seed   maphash.Seed
	forms  []form
	byForm map[string]uint32
	names  map[string]report.Text // equal ones share their memory
	list   chunks[content]
	data   chunks[datum]

	scratch []byte
}

// A form is what many Secrets have in common.
type form struct {
	kind     report.Text   // such as "Opaque"
	dataKeys []report.Text // of data and stringData
	names    []report.Text // of the data that could be read
	whole    bool          // and there are no others
}

// A content is one copy: its form, and where its data are in the list of all.
type content struct {
	form, first uint32
}

// A datum stands for the bytes of one entry of a Secret's data.
type datum struct {
	sum  uint64
	size uint32
}

// A namedDatum is a datum under its name.
type namedDatum struct {
	name report.Text
	datum
}

func newContents(seed maphash.Seed) *contents {
	return &contents{seed: seed, byForm: map[string]uint32{}, names: map[string]report.Text{}}
}

// add takes down what the Secret in value holds, and numbers it from 1.
func (c *contents) add(value []byte, off int64) int32 {
	holds := object.ParseContents(value, off)
	first := c.data.len()
	for _, d := range holds.Data {
		c.data.add(datum{maphash.Bytes(c.seed, d.Value), uint32(len(d.Value))})
	}
	c.list.add(content{c.form(&holds), uint32(first)})
	return int32(c.list.len())
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
		f := form{kind: c.name(holds.Type), whole: holds.Whole, dataKeys: []report.Text{}}
		for _, name := range holds.DataKeys {
			f.dataKeys = append(f.dataKeys, c.name(name))
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

// of appends the data of a copy with that number, and says whether it has no others. A copy
// without a number has none that are known.
func (c *contents) of(data []namedDatum, number int32) (all []namedDatum, whole bool) {
	if number == 0 {
		return data, false
	}
	at := c.list.at(int(number - 1))
	f := &c.forms[at.form]
	for i, name := range f.names {
		data = append(data, namedDatum{name, *c.data.at(int(at.first) + i)})
	}
	return data, f.whole
}

// formOf is the form of a copy with that number; the zero form for none.
func (c *contents) formOf(number int32) form {
	if number == 0 {
		return form{}
	}
	return c.forms[c.list.at(int(number-1)).form]
}

// sums are the data of a Secret that is not kept.
func (c *contents) sums(data []object.Datum) []namedDatum {
	out := make([]namedDatum, len(data))
	for i, d := range data {
		out[i] = namedDatum{report.Text(d.Name), datum{maphash.Bytes(c.seed, d.Value), uint32(len(d.Value))}}
	}
	return out
}

// holdsSecret reports whether a plaintext value may be that of a Secret.
func (w *watch) holdsSecret(key string, value []byte, off int64) bool {
	return w.contents && (strings.Contains(key, secretsPart) || isSecret(value, off))
}

// secretsPart is in the key of every Secret that lies where Secrets do.
const secretsPart = "/secrets/"

// Secrets are in scope if their keys are watched.
func (w *watch) watchesSecrets() bool {
	return w.all || w.only != "" || slices.ContainsFunc(w.parts, func(part []byte) bool { return string(part) == secretsPart })
}
