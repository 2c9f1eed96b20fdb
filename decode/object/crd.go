package object

import (
	"bytes"
	"cmp"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/etcdsift/etcdsift/decode"
	"github.com/etcdsift/etcdsift/decode/internal/document"
	"github.com/etcdsift/etcdsift/decode/internal/unknown"
	"github.com/etcdsift/etcdsift/decode/internal/wire"
)

// A CRD is what a CustomResourceDefinition says of the keys of its objects.
//
//	JSON                protobuf, v1 and v1beta1 alike
//	spec                field 2
//	spec.group          field 2, 1
//	spec.names.plural   field 2, 3, 1
//	spec.names.kind     field 2, 3, 4
//	spec.scope          field 2, 4: "Namespaced" or "Cluster"
//
// Source: pkg/apis/apiextensions/v1 and v1beta1, generated.proto, in
// k8s.io/apiextensions-apiserver v0.37.2.
type CRD struct {
	Group      string
	Plural     string
	Kind       string
	Namespaced bool
}

// ParseCRD reads the CustomResourceDefinition in value, which starts at file
// offset off. Its errors are those of ParseMeta, and ErrValue for an object of
// another kind, or one that lacks its group, plural or scope.
//
// It skips the schemas, which make up most of a CRD, without decoding.
func ParseCRD(value []byte, off int64) (CRD, error) {
	if bytes.HasPrefix(value, unknown.Magic) {
		u, err := unknown.Parse(value, off)
		spec, specErr := protobufCRD(&u)
		return spec.crd(protobufType(&u), off, cmp.Or(err, specErr))
	}
	doc, err := document.Parse(value, off, document.ToTheEnd, "apiVersion", "kind", "spec")
	t := documentType(&doc, &err)
	return documentCRD(&doc, &err).crd(t, off, err)
}

type crdSpec struct{ group, plural, kind, scope string }

// crd makes the CRD, and finds fault with it unless err already does.
func (s crdSpec) crd(t TypeMeta, off int64, err error) (CRD, error) {
	c := CRD{Group: s.group, Plural: s.plural, Kind: s.kind, Namespaced: s.scope == "Namespaced"}
	c.check(off, &err)
	if err == nil {
		err = expectKind(t, "CustomResourceDefinition", off)
	}
	if err == nil && (c.Group == "" || c.Plural == "" || !c.Namespaced && s.scope != "Cluster") {
		err = formatError(off, "CustomResourceDefinition, spec", decode.ErrValue)
	}
	return c, err
}

func documentCRD(doc *document.Document, err *error) crdSpec {
	var s crdSpec
	var spec, names map[string]document.Raw
	doc.Get("spec", &spec, err)
	get := func(from map[string]document.Raw, name string, v any) {
		doc.Decode(from[name], "CustomResourceDefinition, spec", v, err)
	}
	get(spec, "group", &s.group)
	get(spec, "scope", &s.scope)
	get(spec, "names", &names)
	get(names, "plural", &s.plural)
	get(names, "kind", &s.kind)
	return s
}

// protobufCRD reads the fields by hand: one reader serves both versions, and the
// generated types would build every schema in memory.
func protobufCRD(u *unknown.Object) (crdSpec, error) {
	var s crdSpec
	err := wire.Each(u.Raw, func(f wire.Field) error {
		if !f.Is(2, protowire.BytesType) {
			return nil
		}
		return wire.Each(f.Bytes, s.setField)
	})
	if err != nil {
		return s, formatError(u.RawOff, "CustomResourceDefinition, spec", err)
	}
	return s, nil
}

func (s *crdSpec) setField(f wire.Field) error {
	switch {
	case f.Is(1, protowire.BytesType):
		s.group = string(f.Bytes)
	case f.Is(3, protowire.BytesType):
		return wire.Each(f.Bytes, s.setName)
	case f.Is(4, protowire.BytesType):
		s.scope = string(f.Bytes)
	}
	return nil
}

func (s *crdSpec) setName(f wire.Field) error {
	switch {
	case f.Is(1, protowire.BytesType):
		s.plural = string(f.Bytes)
	case f.Is(4, protowire.BytesType):
		s.kind = string(f.Bytes)
	}
	return nil
}
