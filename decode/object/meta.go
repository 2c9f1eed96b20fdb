package object

import (
	"bytes"
	"cmp"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/etcdsift/etcdsift/decode"
	"github.com/etcdsift/etcdsift/decode/internal/document"
	"github.com/etcdsift/etcdsift/decode/internal/unknown"
	"github.com/etcdsift/etcdsift/decode/internal/wire"
)

// A Meta is what the metadata of any object says of it, as far as it is of use here. It
// leaves out labels and annotations: the annotation in which kubectl keeps the last applied
// configuration of a Secret holds the Secret's data. It also leaves out generateName, which
// is field 2 just like the value of an annotation: a single damaged byte may turn one into
// the other.
//
// The times are in UTC and to the second. The zero time stands for one that no API server can
// have written (JSON has no form for it).
type Meta struct {
	TypeMeta
	Name              string
	Namespace         string
	UID               string
	CreationTimestamp time.Time
	Managers          []Manager // from managedFields, in their order; nil if there are none
}

// A Manager is a program that has set fields of an object.
type Manager struct {
	Name      string
	Operation string    // "Update" or "Apply"
	Time      time.Time // when it last did
}

// maxEntries bounds the entries of all lists and maps in the metadata: each takes a hundred
// bytes in memory, and three in a value. The API server's limits leave room for far less.
const maxEntries = 1 << 14

// ParseMeta reads the type and the metadata of the object in value, which starts at file
// offset off. Its error is a *decode.FormatError: ErrMagic for a value of no known encoding,
// ErrTruncated for one that is cut, ErrValue for any other damage and for a text that cannot
// stand where it does, ErrLimit for metadata with more in it than any object has. The Meta
// then holds what could be read, without that text.
func ParseMeta(value []byte, off int64) (Meta, error) {
	m, err := parseMeta(value, off)
	m.check(off, &err)
	return m, err
}

func parseMeta(value []byte, off int64) (Meta, error) {
	if bytes.HasPrefix(value, unknown.Magic) {
		u, err := unknown.Parse(value, off)
		m, rawErr := protobufMeta(&u)
		return m, cmp.Or(err, rawErr)
	}
	doc, err := document.Parse(value, off, document.ToTheEnd, "apiVersion", "kind", "metadata")
	return documentMeta(&doc, &err), err
}

// protobufMeta decodes the metadata of any protobuf object: it is field 1 of them all, so a
// PartialObjectMetadata is a part of each.
func protobufMeta(u *unknown.Object) (Meta, error) {
	if entriesOfMeta(u.Raw) > maxEntries {
		return Meta{TypeMeta: protobufType(u)}, formatError(u.RawOff, "object, metadata", decode.ErrLimit)
	}
	var partial metav1.PartialObjectMetadata
	err := partial.Unmarshal(u.Raw)
	m := newMeta(protobufType(u), &partial.ObjectMeta)
	if err != nil {
		return m, formatError(u.RawOff, "object, metadata", wire.CauseOf(err))
	}
	return m, nil
}

// entriesOfMeta counts the fields of the metadata in a protobuf object: each entry of a list
// or map in it is a field.
func entriesOfMeta(raw []byte) (n int) {
	_ = wire.Each(raw, func(f wire.Field) error { // Unmarshal says what is wrong
		if f.Is(1, protowire.BytesType) {
			_ = wire.Each(f.Bytes, func(wire.Field) error { n++; return nil })
		}
		return nil
	})
	return n
}

func newMeta(t TypeMeta, o *metav1.ObjectMeta) Meta {
	m := Meta{
		TypeMeta:          t,
		Name:              o.Name,
		Namespace:         o.Namespace,
		UID:               string(o.UID),
		CreationTimestamp: sensible(o.CreationTimestamp.Time),
	}
	for i := range o.ManagedFields {
		f := &o.ManagedFields[i]
		manager := Manager{Name: f.Manager, Operation: string(f.Operation)}
		if f.Time != nil {
			manager.Time = sensible(f.Time.Time)
		}
		m.Managers = append(m.Managers, manager)
	}
	return m
}

func documentMeta(doc *document.Document, err *error) Meta {
	m := Meta{TypeMeta: documentType(doc, err)}
	var metadata map[string]document.Raw
	doc.Get("metadata", &metadata, err)
	get := func(name string, v any) { doc.Decode(metadata[name], "object, metadata."+name, v, err) }
	get("name", &m.Name)
	get("namespace", &m.Namespace)
	get("uid", &m.UID)
	var created metav1.Time
	get("creationTimestamp", &created)
	m.CreationTimestamp = sensible(created.Time)
	var managers []map[string]document.Raw
	var counted []document.Skipped // takes no memory, however many there are
	if get("managedFields", &counted); len(counted) > maxEntries {
		*err = cmp.Or(*err, formatError(doc.Off, "object, metadata.managedFields", decode.ErrLimit))
	} else {
		get("managedFields", &managers)
	}
	for _, f := range managers {
		var manager Manager
		var at metav1.Time
		doc.Decode(f["manager"], "object, managedFields, manager", &manager.Name, err)
		doc.Decode(f["operation"], "object, managedFields, operation", &manager.Operation, err)
		doc.Decode(f["time"], "object, managedFields, time", &at, err)
		manager.Time = sensible(at.Time)
		m.Managers = append(m.Managers, manager)
	}
	return m
}

// sensible returns t in UTC, or the zero time if t lies outside the years that
// RFC 3339 can write.
func sensible(t time.Time) time.Time {
	t = t.UTC().Truncate(time.Second)
	if y := t.Year(); y < 1 || y > 9999 {
		return time.Time{}
	}
	return t
}

// expectKind is the last check of a parser for one kind.
func expectKind(t TypeMeta, kind string, off int64) error {
	if t.Kind == kind {
		return nil
	}
	return formatError(off, "object, kind (want "+kind+")", decode.ErrValue)
}
