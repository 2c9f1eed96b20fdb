package object

import (
	"bytes"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/etcdsift/etcdsift/decode/internal/document"
	"github.com/etcdsift/etcdsift/decode/internal/unknown"
	"github.com/etcdsift/etcdsift/decode/internal/wire"
)

// A Name tells an object from all others of its kind.
type Name struct {
	TypeMeta
	Namespace string
	Name      string
}

// ParseName reads the type, the namespace and the name of the object in value, which starts
// at file offset off. It does for many values what ParseMeta does for one: of a protobuf
// object it reads nothing else, though all fields of the object must be whole. Its errors are
// those of ParseMeta, but for texts that cannot be a name: the caller must say whether it is
// the right one.
func ParseName(value []byte, off int64) (Name, error) {
	if !bytes.HasPrefix(value, unknown.Magic) {
		doc, err := document.Parse(value, off, document.ToTheEnd, "apiVersion", "kind", "metadata")
		n := documentName(&doc, &err)
		n.check(off, &err)
		return n, err
	}
	u, err := unknown.Parse(value, off)
	n := Name{TypeMeta: protobufType(&u)}
	if err == nil {
		n.TypeMeta.check(off, &err)
	}
	if err != nil {
		return n, err
	}
	err = wire.Each(u.Raw, func(f wire.Field) error {
		if !f.Is(1, protowire.BytesType) {
			return nil
		}
		return wire.Each(f.Bytes, n.field)
	})
	if err != nil {
		return n, formatError(u.RawOff, "object, metadata", err)
	}
	return n, nil
}

func documentName(doc *document.Document, err *error) Name {
	n := Name{TypeMeta: documentType(doc, err)}
	var metadata map[string]document.Raw
	doc.Get("metadata", &metadata, err)
	doc.Decode(metadata["name"], "object, metadata.name", &n.Name, err)
	doc.Decode(metadata["namespace"], "object, metadata.namespace", &n.Namespace, err)
	return n
}

// field takes a field of ObjectMeta.
//
// Source: ObjectMeta in pkg/apis/meta/v1/generated.proto, k8s.io/apimachinery v0.37.2.
func (n *Name) field(f wire.Field) error {
	switch {
	case f.Is(1, protowire.BytesType):
		n.Name = string(f.Bytes)
	case f.Is(3, protowire.BytesType):
		n.Namespace = string(f.Bytes)
	}
	return nil
}
