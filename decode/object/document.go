package object

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"

	"k8s.io/apimachinery/pkg/runtime/serializer/cbor/direct"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/etcdsift/etcdsift/decode"
)

// A document is an object in JSON or CBOR: the top-level fields that were asked
// for, each still encoded.
type document struct {
	off       int64
	fields    map[string]raw
	unmarshal func(data []byte, v any) error // that of the encoding
}

// raw is a value of either encoding, put off until it is wanted.
type raw []byte

func (r *raw) UnmarshalJSON(b []byte) error { *r = bytes.Clone(b); return nil }
func (r *raw) UnmarshalCBOR(b []byte) error { *r = bytes.Clone(b); return nil }

// skipped takes the place of a value that nobody asked for.
type skipped struct{}

func (*skipped) UnmarshalJSON([]byte) error { return nil }
func (*skipped) UnmarshalCBOR([]byte) error { return nil }

// A datum takes the place of a value in a Secret's data. It keeps nothing of it,
// but insists on its form: a string in JSON, bytes with the tag for base64 in
// CBOR (an API server writes no others), or null. A datumKey is its key, which in
// CBOR is bytes without a tag. Nothing else there would notice that a damaged
// length has made a datum into a key; and nothing notices it where the datum
// itself goes on with what could be a key's length and a key.
type (
	datum    struct{}
	datumKey string
)

func (k *datumKey) UnmarshalCBOR(b []byte) error {
	if b[0]>>5 != bytesType {
		return errNoDatum
	}
	return direct.Unmarshal(b, (*string)(k))
}

func (*datum) UnmarshalJSON(b []byte) error {
	if b[0] != '"' && b[0] != 'n' {
		return errNoDatum
	}
	return nil
}

func (*datum) UnmarshalCBOR(b []byte) error {
	const base64Tag, null = 0xd6, 0xf6
	if b[0] != null && (b[0] != base64Tag || len(b) < 2 || b[1]>>5 != bytesType) {
		return errNoDatum
	}
	return nil
}

const bytesType = 2 // CBOR: byte string, in the upper three bits of its first byte

var errNoDatum = errors.New("not of the form of a Secret's data")

// A depth says how far parseDocument reads a JSON value.
type depth bool

const (
	toTheEnd   depth = false
	untilFound depth = true // as far as the last field that was asked for
)

// parseDocument collects the named fields of an object in JSON or CBOR. The
// names are compared as the API server does, upper and lower case being
// different; of a field that occurs twice in JSON the last counts.
//
// Nesting is bounded by the libraries at 10,000 levels, memory by a small
// multiple of the value.
func parseDocument(value []byte, off int64, d depth, names ...string) (document, error) {
	doc := document{off: off, fields: map[string]raw{}}
	switch {
	case bytes.HasPrefix(value, cborMagic):
		doc.unmarshal = direct.Unmarshal
		var all map[string]raw
		err := direct.Unmarshal(value, &all)
		for _, name := range names {
			if field, ok := all[name]; ok {
				doc.fields[name] = field
			}
		}
		if err != nil {
			return doc, formatError(off, "object, CBOR", libraryCause(err))
		}
		return doc, nil
	case isJSON(value):
		doc.unmarshal = utiljson.Unmarshal
		return doc, doc.readJSON(value, d, names)
	}
	return doc, formatError(off, "object, encoding", decode.ErrMagic)
}

// readJSON goes field by field, so that a value which is cut still yields those
// that are whole.
func (doc *document) readJSON(value []byte, d depth, names []string) error {
	dec := json.NewDecoder(bytes.NewReader(value))
	fail := func(err error) error {
		return formatError(doc.off+dec.InputOffset(), "object, JSON", libraryCause(err))
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
			if err := dec.Decode(new(skipped)); err != nil {
				return fail(err)
			}
			continue
		}
		var field raw
		if err := dec.Decode(&field); err != nil {
			return fail(err)
		}
		doc.fields[name] = field
		if d == untilFound && len(doc.fields) == len(names) {
			return nil
		}
	}
	if _, err := dec.Token(); err != nil { // the closing brace
		return fail(err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return formatError(doc.off+dec.InputOffset(), "object, bytes behind the JSON", decode.ErrValue)
	}
	return nil
}

// get decodes a field into v, which stays as it is if there is no such field.
// The first failure of several is put into err, unless that holds one already:
// a field of a wrong type does not keep the others from being read.
func (doc *document) get(name string, v any, err *error) {
	doc.decode(doc.fields[name], "object, "+name, v, err)
}

func (doc *document) decode(field raw, what string, v any, err *error) {
	if field == nil || doc.unmarshal == nil {
		return
	}
	if e := doc.unmarshal(field, v); e != nil && *err == nil {
		// Whatever is wrong inside a field, the field itself was whole.
		*err = formatError(doc.off, what, decode.ErrValue)
	}
}

func (doc *document) typeMeta(err *error) TypeMeta {
	var t TypeMeta
	doc.get("apiVersion", &t.APIVersion, err)
	doc.get("kind", &t.Kind, err)
	return t
}
