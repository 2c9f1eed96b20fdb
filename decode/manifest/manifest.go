// Package manifest reads a whole Kubernetes object out of its plaintext value. It knows the
// types of k8s.io/api, more than a hundred packages, which nothing else of the program needs:
// package object tells the type, the metadata and the Secrets without them.
package manifest

import (
	"bytes"
	"cmp"
	"maps"
	"reflect"
	"slices"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/etcdsift/etcdsift/decode"
	"github.com/etcdsift/etcdsift/decode/internal/document"
	"github.com/etcdsift/etcdsift/decode/internal/unknown"
	"github.com/etcdsift/etcdsift/decode/internal/wire"
	"github.com/etcdsift/etcdsift/decode/object"
)

// Limits of Parse. A value is at most 1.5 MiB by etcd's default, and 10 MiB by its advice;
// what one byte of it can allocate needs a bound too.
const (
	maxValue      = 10 << 20
	maxElements   = 1 << 18   // of maps and lists; each may take 2 KB to write as YAML
	maxDepth      = 128       // of nesting; YAML indents each line by it
	maxCBOR       = 2 << 20   // bytes, each an element
	maxJSON       = 1 << 19   // characters between elements
	maxMemory     = 128 << 20 // of a decoded protobuf object, by estimate
	maxQuantity   = 64        // bytes of a resource.Quantity
	maxExponent   = len("e-999")
	structsAsMaps = 512 // what a map costs more than the struct that it is made from
)

// Parse returns the object in the plaintext value, which starts at file
// offset off, as the API server would give it in JSON, without
// metadata.managedFields: a map as package encoding/json makes it, but with an
// int64 for an integer, and a NaN where damage has made one. It holds all data of
// a Secret.
//
// Of a protobuf object of a kind that is not built into Kubernetes (see KnownKind) it is
// apiVersion, kind and metadata. With an error too it is these, or what is left of them. The
// error is a *decode.FormatError: those of object.ParseMeta; ErrValue also for a Secret with
// data not in the form that an API server gives it, because a datum may then stand where its
// name should; ErrLimit for an object that is over 10 MiB, has over 2^18 elements, is nested
// over 128 levels, or would take hundreds of MiB in memory. The object is nil after ErrMagic.
func Parse(value []byte, off int64) (map[string]any, error) {
	manifest, err := parseWhole(value, off)
	metadata, _ := manifest["metadata"].(map[string]any)
	if err != nil && len(metadata) == 0 {
		// Less, but it comes out of damaged metadata as well.
		meta, metaErr := object.ParseMeta(value, off)
		manifest, err = ofMeta(&meta), cmp.Or(err, metaErr)
	}
	delete(metadata, "managedFields")
	return manifest, err
}

// KnownKind reports whether Parse knows all fields of the protobuf objects of a type.
func KnownKind(t object.TypeMeta) bool {
	_, ok := newObject(t.APIVersion, t.Kind)
	return ok
}

// parseWhole returns no metadata if it cannot read even that as a whole.
func parseWhole(value []byte, off int64) (map[string]any, error) {
	var manifest map[string]any
	var err error
	switch {
	case len(value) > maxValue:
		err = formatError(off, "object, size", decode.ErrLimit)
	case bytes.HasPrefix(value, unknown.Magic):
		manifest, err = parseProtobuf(value, off)
	default:
		manifest, err = parseDocument(value, off)
	}
	if err == nil && manifest["apiVersion"] == "v1" && manifest["kind"] == "Secret" {
		_, _, err = object.ParseSecretData(value, off)
	}
	if err == nil && manifest != nil {
		return manifest, nil
	}
	partial, partialErr := parsePartial(value, off)
	return partial, cmp.Or(err, partialErr)
}

// parsePartial is parseWhole for the metadata alone.
func parsePartial(value []byte, off int64) (map[string]any, error) {
	if bytes.HasPrefix(value, unknown.Magic) {
		u, err := unknown.Parse(value, off)
		manifest, partialErr := manifestOf(&u, &metav1.PartialObjectMetadata{}, wholeFields(u.Raw))
		return manifest, cmp.Or(err, partialErr)
	}
	doc, err := document.Parse(value, off, document.ToTheEnd, "apiVersion", "kind", "metadata")
	manifest := map[string]any{}
	for name, encoded := range doc.Fields {
		var field any
		if elements(encoded) > maxJSON || len(encoded) > maxCBOR {
			err = cmp.Or(err, formatError(off, "object, "+name, decode.ErrLimit))
		} else if doc.Get(name, &field, &err); field != nil {
			manifest[name] = field
		}
	}
	return limited(manifest, off, err)
}

// parseDocument decodes JSON and CBOR. It returns no object along with
// an error.
func parseDocument(value []byte, off int64) (map[string]any, error) {
	isCBOR := bytes.HasPrefix(value, document.CBORMagic)
	if isCBOR && len(value) > maxCBOR || !isCBOR && elements(value) > maxJSON {
		return nil, formatError(off, "object, size", decode.ErrLimit)
	}
	// This finds what is wrong, and where. The library's errors quote the value.
	doc, err := document.Parse(value, off, document.ToTheEnd)
	if err != nil {
		return nil, err
	}
	var manifest map[string]any
	if doc.Unmarshal(value, &manifest) != nil {
		return nil, formatError(off, "object", decode.ErrValue)
	}
	return limited(manifest, off, nil)
}

// elements is no less than the number of elements of a JSON text.
func elements(text []byte) int {
	n := 0
	for _, c := range []string{",", ":", "[", "{"} {
		n += bytes.Count(text, []byte(c))
	}
	return n
}

// A kubeObject is a type with a generated protobuf decoder.
type kubeObject interface {
	runtime.Object
	metav1.Object
	Unmarshal([]byte) error
}

func newObject(apiVersion, kind string) (kubeObject, bool) {
	o, err := kinds().New(schema.FromAPIVersionAndKind(apiVersion, kind))
	if err != nil {
		return nil, false
	}
	k, ok := o.(kubeObject) // no list, and none of the types of requests
	return k, ok
}

// parseProtobuf returns no object along with an error, nor one of an unknown kind.
func parseProtobuf(value []byte, off int64) (map[string]any, error) {
	u, err := unknown.Parse(value, off)
	if err != nil {
		return nil, err
	}
	o, ok := newObject(u.APIVersion, u.Kind)
	if !ok {
		return nil, nil
	}
	return manifestOf(&u, o, u.Raw)
}

// manifestOf decodes raw into o, and that into a map.
func manifestOf(u *unknown.Object, o kubeObject, raw []byte) (map[string]any, error) {
	s := scale{left: maxMemory, fields: map[reflect.Type]map[protowire.Number]reflect.Type{}}
	if err := s.message(reflect.TypeOf(o).Elem(), raw, 0); err != nil {
		return nil, formatError(u.RawOff, "object, protobuf", err)
	}
	if err := o.Unmarshal(raw); err != nil {
		return nil, formatError(u.RawOff, "object, protobuf", wire.CauseOf(err))
	}
	o.SetManagedFields(nil) // may be no JSON
	o.GetObjectKind().SetGroupVersionKind(schema.FromAPIVersionAndKind(u.APIVersion, u.Kind))
	manifest, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
	if err != nil {
		return nil, formatError(u.RawOff, "object, protobuf", decode.ErrValue)
	}
	return limited(manifest, u.RawOff, nil)
}

// wholeFields is a message up to the field that is cut or damaged.
func wholeFields(message []byte) []byte {
	n := 0
	wire.Each(message, func(f wire.Field) error { n += f.Size; return nil })
	return message[:n]
}

func ofMeta(m *object.Meta) map[string]any {
	created := ""
	if !m.CreationTimestamp.IsZero() {
		created = m.CreationTimestamp.Format(time.RFC3339)
	}
	manifest := texts("apiVersion", m.APIVersion, "kind", m.Kind)
	if metadata := texts("name", m.Name, "namespace", m.Namespace, "uid", m.UID, "creationTimestamp", created); len(metadata) > 0 {
		manifest["metadata"] = metadata
	}
	if len(manifest) == 0 {
		return nil
	}
	return manifest
}

// texts makes a map of names, each followed by its text, without empty texts.
func texts(pairs ...string) map[string]any {
	m := map[string]any{}
	for pair := range slices.Chunk(pairs, 2) {
		if pair[1] != "" {
			m[pair[0]] = pair[1]
		}
	}
	return m
}

// limited is the object and err, unless the object is over the limits.
func limited(manifest map[string]any, off int64, err error) (map[string]any, error) {
	if left := maxElements; !fits(manifest, maxDepth, &left) {
		return nil, cmp.Or(err, formatError(off, "object, elements", decode.ErrLimit))
	}
	return manifest, err
}

// fits tells whether v is nested no deeper than maxDepth, and takes its elements
// from left, which must not get below 0.
func fits(v any, depth int, left *int) bool {
	children := []any{}
	switch v := v.(type) {
	case map[string]any:
		children = slices.AppendSeq(children, maps.Values(v))
	case []any:
		children = v
	default:
		return true
	}
	if *left -= len(children); *left < 0 || depth == 0 {
		return false
	}
	for _, child := range children {
		if !fits(child, depth-1, left) {
			return false
		}
	}
	return true
}

func formatError(off int64, what string, cause error) error {
	return &decode.FormatError{Off: off, What: what, Err: cause}
}
