package object

import (
	"bytes"
	"cmp"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/etcdsift/etcdsift/decode"
	"github.com/etcdsift/etcdsift/decode/internal/document"
	"github.com/etcdsift/etcdsift/decode/internal/unknown"
	"github.com/etcdsift/etcdsift/decode/internal/wire"
)

// A Secret is what this program may tell of a Secret.
//
//	JSON        protobuf
//	metadata    field 1
//	data        field 2, a map: in each entry the key is field 1, the datum field 2
//	type        field 3
//	stringData  field 4, a map like data
//	immutable   field 5
//
// Source: Secret in core/v1/generated.proto, k8s.io/api v0.37.2.
type Secret struct {
	Meta
	Type      string   // "Opaque", "kubernetes.io/tls"
	DataKeys  []string // of data and stringData, sorted, each once; never their values
	Immutable bool
}

// maxData bounds the entries of a Secret's data in protobuf. What etcd takes as a value has
// room for no more with names of one or two letters.
const maxData = 1 << 18

// ParseSecret reads the Secret in value, which starts at file offset off. Its
// errors are those of ParseMeta, ErrValue for an object of another kind, and ErrLimit
// for one with more data than a value has room for.
// The Secret then holds what could be read: of a protobuf value that is cut, the
// keys of the data before the cut.
//
// Clients write stringData, and API servers never store it; keys found there count as data
// all the same, except in CBOR.
func ParseSecret(value []byte, off int64) (Secret, error) {
	s, err := parseSecret(value, off)
	s.check(off, &err)
	return s, cmp.Or(err, expectKind(s.TypeMeta, "Secret", off))
}

func parseSecret(value []byte, off int64) (Secret, error) {
	if bytes.HasPrefix(value, unknown.Magic) {
		u, err := unknown.Parse(value, off)
		s, rawErr := protobufSecret(&u)
		return s, cmp.Or(err, rawErr)
	}
	doc, err := document.Parse(value, off, document.ToTheEnd,
		"apiVersion", "kind", "metadata", "data", "stringData", "type", "immutable")
	return documentSecret(&doc, &err), err
}

// protobufSecret reads the fields by hand, unlike the metadata. The generated type would copy
// all data only to drop it. It also takes the last field 1 of a map's entry for its key,
// whatever its wire type: in a damaged entry that may be the datum.
func protobufSecret(u *unknown.Object) (Secret, error) {
	m, metaErr := protobufMeta(u)
	s, err := protobufSecretFields(u)
	s.Meta = m
	return s, cmp.Or(err, metaErr)
}

// protobufSecretFields is all but the metadata.
func protobufSecretFields(u *unknown.Object) (s Secret, err error) {
	var keyErr error
	err = eachEntry(u.Raw, func(e dataEntry) {
		if e.err == nil && len(s.DataKeys) == maxData {
			e.err = decode.ErrLimit
		}
		if e.err != nil {
			keyErr = e.err
			return
		}
		s.DataKeys = append(s.DataKeys, e.name)
	}, func(f wire.Field) {
		switch {
		case f.Is(3, protowire.BytesType):
			s.Type = string(f.Bytes)
		case f.Is(5, protowire.VarintType):
			s.Immutable = f.Varint != 0
		}
	})
	slices.Sort(s.DataKeys)
	s.DataKeys = slices.Compact(s.DataKeys)
	if err != nil {
		err = formatError(u.RawOff, "Secret", err)
	}
	if keyErr != nil {
		keyErr = formatError(u.RawOff, "Secret, data", keyErr)
	}
	return s, cmp.Or(err, keyErr)
}

// A dataEntry is an entry of data or stringData in protobuf. Its value aliases the stored value.
type dataEntry struct {
	name       string
	value      []byte
	stringData bool
	err        error // what is wrong with it: there is no name and no value then
}

// eachEntry calls entry with each entry of the data and stringData of a Secret in protobuf, in the
// order in which they stand, and other with each other field. All that reads data goes by it: keys
// alone, whole data, and both at once. The error is that of the message, behind the last good field.
func eachEntry(raw []byte, entry func(dataEntry), other func(wire.Field)) error {
	return wire.Each(raw, func(f wire.Field) error {
		if !f.Is(2, protowire.BytesType) && !f.Is(4, protowire.BytesType) {
			other(f)
			return nil
		}
		e := dataEntry{stringData: f.Num == 4}
		e.name, e.value, e.err = parseEntry(f.Bytes)
		entry(e)
		return nil
	})
}

// parseEntry returns key and datum of an entry of data, if the entry has the only form that
// encoders give it: the key, then the datum, either left out if it is empty.
func parseEntry(entry []byte) (name string, value []byte, err error) {
	last := protowire.Number(0)
	err = wire.Each(entry, func(f wire.Field) error {
		if f.Type != protowire.BytesType || f.Num > 2 || f.Num <= last {
			return decode.ErrValue
		}
		if last = f.Num; f.Num == 1 {
			name = string(f.Bytes)
		} else {
			value = f.Bytes
		}
		return nil
	})
	if err != nil {
		return "", nil, err
	}
	return name, value, nil
}

// documentSecret stays apart from documentData, because it lists keys whose datum is not base64,
// and because a datum that it does not decode can not get out. Both ask datum for the form.
func documentSecret(doc *document.Document, err *error) Secret {
	s := Secret{Meta: documentMeta(doc, err)}
	doc.Get("type", &s.Type, err)
	doc.Get("immutable", &s.Immutable, err)
	for _, name := range []string{"data", "stringData"} {
		var data map[datumKey]datum
		var dataErr error
		if doc.Get(name, &data, &dataErr); dataErr != nil {
			// None of its keys can be trusted.
			*err = cmp.Or(*err, dataErr)
			continue
		}
		for key := range data {
			s.DataKeys = append(s.DataKeys, string(key))
		}
	}
	slices.Sort(s.DataKeys)
	s.DataKeys = slices.Compact(s.DataKeys)
	return s
}
