// Package document reads the top-level fields of an object that an API server has stored in
// JSON or CBOR.
package document

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"

	"k8s.io/apimachinery/pkg/runtime/serializer/cbor/direct"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/etcdsift/etcdsift/decode"
	"github.com/etcdsift/etcdsift/decode/internal/wire"
)

// CBORMagic is what every object in CBOR starts with.
//
// Source: pkg/runtime/serializer/cbor in k8s.io/apimachinery v0.37.2.
var CBORMagic = []byte("\xd9\xd9\xf7")

// IsJSON tells an object in JSON by its first bytes. White space may go before it: the API
// server writes no such space, but reads it.
func IsJSON(value []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(value, " \t\r\n"), []byte("{"))
}

// A Document is an object in JSON or CBOR: the top-level fields that the caller asked for,
// each still encoded. Parse makes it.
type Document struct {
	Off       int64                          // file offset of the object
	Fields    map[string]Raw                 // by name
	Unmarshal func(data []byte, v any) error // that of the encoding; nil if it is not known
}

// Raw is a value of either encoding, not decoded yet. It is a copy.
type Raw []byte

func (r *Raw) UnmarshalJSON(b []byte) error { *r = bytes.Clone(b); return nil }
func (r *Raw) UnmarshalCBOR(b []byte) error { *r = bytes.Clone(b); return nil }

// Skipped takes the place of a value that nobody asked for.
type Skipped struct{}

func (*Skipped) UnmarshalJSON([]byte) error { return nil }
func (*Skipped) UnmarshalCBOR([]byte) error { return nil }

// A Depth says how far Parse reads a JSON value.
type Depth bool

const (
	ToTheEnd   Depth = false
	UntilFound Depth = true // as far as the last field that the caller asked for
)

// Parse collects the named fields of the object in value, which starts at file offset off. It
// compares the names as the API server does: upper and lower case differ. Where a field
// occurs twice in JSON, the last counts. Its error is a *decode.FormatError, ErrMagic for
// another encoding; the Document then has the fields that could be read.
//
// The libraries bound nesting at 10,000 levels, and memory by a small multiple of the value.
func Parse(value []byte, off int64, d Depth, names ...string) (Document, error) {
	doc := Document{Off: off, Fields: map[string]Raw{}}
	switch {
	case bytes.HasPrefix(value, CBORMagic):
		doc.Unmarshal = direct.Unmarshal
		var all map[string]Raw
		err := direct.Unmarshal(value, &all)
		for _, name := range names {
			if field, ok := all[name]; ok {
				doc.Fields[name] = field
			}
		}
		if err != nil {
			return doc, formatError(off, "object, CBOR", wire.CauseOf(err))
		}
		return doc, nil
	case IsJSON(value):
		doc.Unmarshal = utiljson.Unmarshal
		return doc, doc.readJSON(value, d, names)
	}
	return doc, formatError(off, "object, encoding", decode.ErrMagic)
}

// readJSON goes field by field, so that a cut value still yields its whole fields.
func (doc *Document) readJSON(value []byte, d Depth, names []string) error {
	dec := json.NewDecoder(bytes.NewReader(value))
	fail := func(err error) error {
		return formatError(doc.Off+dec.InputOffset(), "object, JSON", wire.CauseOf(err))
	}
	if _, err := dec.Token(); err != nil { // the opening brace
		return fail(err)
	}
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return fail(err)
		}
		name, ok := token.(string)
		if !ok {
			return fail(errors.New("no field name"))
		}
		if !slices.Contains(names, name) {
			if err := dec.Decode(new(Skipped)); err != nil {
				return fail(err)
			}
			continue
		}
		var field Raw
		if err := dec.Decode(&field); err != nil {
			return fail(err)
		}
		doc.Fields[name] = field
		if d == UntilFound && len(doc.Fields) == len(names) {
			return nil
		}
	}
	if _, err := dec.Token(); err != nil { // the closing brace
		return fail(err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return formatError(doc.Off+dec.InputOffset(), "object, bytes behind the JSON", decode.ErrValue)
	}
	return nil
}

// Get decodes a field into v, which stays as it is if there is no such field. It puts the
// first failure of several into err, unless that holds one already: a field of a wrong type
// does not keep the caller from reading the others.
func (doc *Document) Get(name string, v any, err *error) {
	doc.Decode(doc.Fields[name], "object, "+name, v, err)
}

// Decode is Get for a field inside another; what says which it is.
func (doc *Document) Decode(field Raw, what string, v any, err *error) {
	if field == nil || doc.Unmarshal == nil {
		return
	}
	if e := doc.Unmarshal(field, v); e != nil && *err == nil {
		// Whatever is wrong inside a field, the field itself was whole.
		*err = formatError(doc.Off, what, decode.ErrValue)
	}
}

func formatError(off int64, what string, cause error) error {
	return &decode.FormatError{Off: off, What: what, Err: cause}
}
