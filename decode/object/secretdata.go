package object

import (
	"bytes"
	"cmp"
	"errors"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/runtime/serializer/cbor/direct"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/etcdsift/etcdsift/decode"
	"github.com/etcdsift/etcdsift/decode/internal/document"
	"github.com/etcdsift/etcdsift/decode/internal/unknown"
	"github.com/etcdsift/etcdsift/decode/internal/wire"
)

// A Datum is an entry of a Secret's data. Value is what the user stored, after base64. It may
// alias the stored value, and must not get out: neither it nor a hash of it may go into a
// report, a log or an error.
type Datum struct {
	Name  string
	Value []byte
}

// ParseSecretData returns the data and stringData of the Secret in value, which starts at
// file offset off, sorted by name, each name once: stringData counts before data, and the
// last of several. Use it only to compare one Secret with another in memory, see Datum.
//
// Of a value that is cut or damaged it returns the entries that are wholly there: in protobuf
// those before the cut, in JSON and CBOR all or none. whole tells whether the Secret has no
// others; it is true exactly if err is nil. The errors are those of ParseSecret as far as
// they are about the data, and ErrValue for an entry without a name and for one that is not
// base64.
func ParseSecretData(value []byte, off int64) (data []Datum, whole bool, err error) {
	t, entries, err := parseSecretData(value, off)
	t.check(off, &err)
	if kindErr := expectKind(t, "Secret", off); kindErr != nil {
		return nil, false, cmp.Or(err, kindErr)
	}
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		if name == "" || !isDataKey(name) {
			err = cmp.Or(err, formatError(off, "Secret, data key", decode.ErrValue))
			continue
		}
		data = append(data, Datum{Name: name, Value: entries[name]})
	}
	return data, err == nil, err
}

func parseSecretData(value []byte, off int64) (TypeMeta, map[string][]byte, error) {
	if bytes.HasPrefix(value, unknown.Magic) {
		u, err := unknown.Parse(value, off)
		entries, dataErr := protobufData(&u)
		return protobufType(&u), entries, cmp.Or(err, dataErr)
	}
	doc, err := document.Parse(value, off, document.ToTheEnd, "apiVersion", "kind", "data", "stringData")
	t := documentType(&doc, &err)
	return t, documentData(&doc, &err), err
}

func protobufData(u *unknown.Object) (map[string][]byte, error) {
	data, stringData := map[string][]byte{}, map[string][]byte{}
	var entryErr error
	err := eachEntry(u.Raw, func(e dataEntry) {
		switch {
		case e.err != nil:
			entryErr = formatError(u.RawOff, "Secret, data", e.err)
		case e.stringData:
			stringData[e.name] = e.value
		default:
			data[e.name] = e.value
		}
	}, func(wire.Field) {})
	if err != nil {
		err = formatError(u.RawOff, "Secret", err)
	}
	maps.Copy(data, stringData)
	return data, cmp.Or(err, entryErr)
}

// A dataBytes is a datum of the same forms, with its bytes. It notes what is of that form but
// not base64: such a datum is lost, and no reason to doubt the others.
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

func documentData(doc *document.Document, err *error) map[string][]byte {
	var data map[datumKey]dataBytes
	var stringData map[datumKey]dataText
	entries := map[string][]byte{}
	add := func(name datumKey, d dataBytes) {
		if d.broken {
			*err = cmp.Or(*err, formatError(doc.Off, "Secret, data", decode.ErrValue))
			return
		}
		entries[string(name)] = d.bytes
	}
	// Where one is not of the form of data, none of its names can be trusted.
	var dataErr, stringErr error
	if doc.Get("data", &data, &dataErr); dataErr == nil {
		for name, d := range data {
			add(name, d)
		}
	}
	if doc.Get("stringData", &stringData, &stringErr); stringErr == nil {
		for name, d := range stringData {
			add(name, d.dataBytes)
		}
	}
	*err = cmp.Or(*err, dataErr, stringErr)
	return entries
}

// A datum takes the place of a value in a Secret's data. It keeps nothing of the value, but
// insists on its form: a string in JSON, bytes with the tag for base64 in CBOR (an API server
// writes no others), or null. A datumKey is its key, which in CBOR is bytes without a tag.
// Nothing else would notice that a damaged length has made a datum into a key. Nothing at all
// notices it where the datum itself goes on with what could be a key's length and a key.
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
