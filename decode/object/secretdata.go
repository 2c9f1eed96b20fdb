package object

import (
	"bytes"
	"maps"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
	"k8s.io/apimachinery/pkg/runtime/serializer/cbor/direct"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/etcdsift/etcdsift/decode"
	"github.com/etcdsift/etcdsift/decode/internal/wire"
)

// A Datum is an entry of a Secret's data. Value is what the user stored, after
// base64. It may alias the stored value, and must not get out: neither it nor a
// hash of it may go into a report, a log or an error.
type Datum struct {
	Name  string
	Value []byte
}

// ParseSecretData returns the data and stringData of the Secret in value, which
// starts at file offset off, sorted by name, each name once: that of stringData
// counts before that of data, and the last of several. Only to compare one
// Secret with another in memory, see Datum.
//
// Of a value that is cut or damaged it is the entries that are wholly there: in
// protobuf those before the cut, in JSON and CBOR all or none. Whole tells
// whether the Secret has no others; it is true exactly if err is nil. The errors
// are those of ParseSecret as far as they are about the data, and ErrValue for
// an entry without a name and for one that is no base64.
func ParseSecretData(value []byte, off int64) (data []Datum, whole bool, err error) {
	t, entries, err := parseSecretData(value, off)
	t.check(off, &err)
	if kindErr := expectKind(t, "Secret", off); kindErr != nil {
		return nil, false, firstError(err, kindErr)
	}
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		if name == "" || !isDataKey(name) {
			err = firstError(err, formatError(off, "Secret, data key", decode.ErrValue))
			continue
		}
		data = append(data, Datum{Name: name, Value: entries[name]})
	}
	return data, err == nil, err
}

func parseSecretData(value []byte, off int64) (TypeMeta, map[string][]byte, error) {
	if bytes.HasPrefix(value, protobufMagic) {
		u, err := parseUnknown(value, off)
		entries, dataErr := u.secretData()
		return u.TypeMeta, entries, firstError(err, dataErr)
	}
	doc, err := parseDocument(value, off, toTheEnd, "apiVersion", "kind", "data", "stringData")
	t := doc.typeMeta(&err)
	return t, doc.secretData(&err), err
}

func (u *unknown) secretData() (map[string][]byte, error) {
	data, stringData := map[string][]byte{}, map[string][]byte{}
	var entryErr error
	err := wire.Each(u.raw, func(f wire.Field) error {
		entries := data
		switch {
		case f.Is(4, protowire.BytesType):
			entries = stringData
		case !f.Is(2, protowire.BytesType):
			return nil
		}
		name, err := dataKey(f.Bytes)
		if err != nil {
			entryErr = formatError(u.rawOff, "Secret, data", err)
			return nil
		}
		entries[name] = datumOf(f.Bytes)
		return nil
	})
	if err != nil {
		err = formatError(u.rawOff, "Secret", err)
	}
	maps.Copy(data, stringData)
	return data, firstError(err, entryErr)
}

// datumOf returns the datum in an entry that dataKey has found good.
func datumOf(entry []byte) []byte {
	var value []byte
	wire.Each(entry, func(f wire.Field) error {
		if f.Num == 2 {
			value = f.Bytes
		}
		return nil
	})
	return value
}

// A dataBytes is a datum of the same forms, with its bytes. It notes what is of
// that form but no base64: such a datum is lost, and no reason to doubt the
// others.
type dataBytes struct {
	bytes  []byte
	broken bool
}

func (d *dataBytes) UnmarshalJSON(b []byte) error {
	d.broken = utiljson.Unmarshal(b, &d.bytes) != nil
	return new(datum).UnmarshalJSON(b)
}

func (d *dataBytes) UnmarshalCBOR(b []byte) error {
	d.broken = direct.Unmarshal(b, &d.bytes) != nil
	return new(datum).UnmarshalCBOR(b)
}

// A dataText is an entry of stringData, which is not in base64 in JSON.
type dataText struct{ dataBytes }

func (d *dataText) UnmarshalJSON(b []byte) error {
	var text string
	d.broken = utiljson.Unmarshal(b, &text) != nil
	d.bytes = []byte(text)
	return new(datum).UnmarshalJSON(b)
}

func (doc *document) secretData(err *error) map[string][]byte {
	var data map[datumKey]dataBytes
	var stringData map[datumKey]dataText
	entries := map[string][]byte{}
	add := func(name datumKey, d dataBytes) {
		if d.broken {
			*err = firstError(*err, formatError(doc.off, "Secret, data", decode.ErrValue))
			return
		}
		entries[string(name)] = d.bytes
	}
	// Where one is not of the form of data, no name in it can be trusted to be one.
	var dataErr, stringErr error
	if doc.get("data", &data, &dataErr); dataErr == nil {
		for name, d := range data {
			add(name, d)
		}
	}
	if doc.get("stringData", &stringData, &stringErr); stringErr == nil {
		for name, d := range stringData {
			add(name, d.dataBytes)
		}
	}
	*err = firstError(*err, dataErr, stringErr)
	return entries
}
