package object

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
)

// Limits of ParseManifest. A value is at most 1.5 MiB by etcd's default, and 10
// MiB by its advice; what one byte of it can allocate has to be bounded too.
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

// ParseManifest returns the object in the plaintext value, which starts at file
// offset off, as the API server would give it in JSON, without
// metadata.managedFields: a map as package encoding/json makes it, but with an
// int64 for an integer, and a NaN where damage has made one. It holds all data of
// a Secret.
//
// Of a protobuf object of a kind that is not built into Kubernetes (see
// KnownKind) it is apiVersion, kind and metadata. It is that, or what is left
// of it, along with an error too, which is a *decode.FormatError: those of
// ParseMeta; ErrValue also for a Secret whose data has not the form that an API
// server gives it, as a datum may then stand where its name should; ErrLimit
// for an object that is over 10 MiB, has over 2^18 elements, is nested over 128
// levels, or would take hundreds of MiB in memory. It is nil after ErrMagic.
func ParseManifest(value []byte, off int64) (map[string]any, error) {
	object, err := parseManifest(value, off)
	metadata, _ := object["metadata"].(map[string]any)
	if err != nil && len(metadata) == 0 {
		// Less, but it comes out of damaged metadata as well.
		meta, metaErr := ParseMeta(value, off)
		object, err = meta.manifest(), cmp.Or(err, metaErr)
	}
	delete(metadata, "managedFields")
	return object, err
}

// KnownKind reports whether ParseManifest knows all fields of the protobuf
// objects of a type.
func KnownKind(t TypeMeta) bool {
	_, ok := newObject(t)
	return ok
}

// parseManifest returns no metadata if not even that could be read as a whole.
func parseManifest(value []byte, off int64) (map[string]any, error) {
	var object map[string]any
	var err error
	switch {
	case len(value) > maxValue:
		err = formatError(off, "object, size", decode.ErrLimit)
	case bytes.HasPrefix(value, unknown.Magic):
		object, err = parseProtobufManifest(value, off)
	default:
		object, err = parseDocumentManifest(value, off)
	}
	if err == nil && object["apiVersion"] == "v1" && object["kind"] == "Secret" {
		_, _, err = ParseSecretData(value, off)
	}
	if err == nil && object != nil {
		return object, nil
	}
	partial, partialErr := parsePartial(value, off)
	return partial, cmp.Or(err, partialErr)
}

// parsePartial is parseManifest for the metadata alone.
func parsePartial(value []byte, off int64) (map[string]any, error) {
	if bytes.HasPrefix(value, unknown.Magic) {
		u, err := unknown.Parse(value, off)
		object, partialErr := manifestOf(&u, &metav1.PartialObjectMetadata{}, wholeFields(u.Raw))
		return object, cmp.Or(err, partialErr)
	}
	doc, err := document.Parse(value, off, document.ToTheEnd, "apiVersion", "kind", "metadata")
	object := map[string]any{}
	for name, encoded := range doc.Fields {
		var field any
		if elements(encoded) > maxJSON || len(encoded) > maxCBOR {
			err = cmp.Or(err, formatError(off, "object, "+name, decode.ErrLimit))
		} else if doc.Get(name, &field, &err); field != nil {
			object[name] = field
		}
	}
	return limited(object, off, err)
}

// parseDocumentManifest decodes JSON and CBOR. It returns no object along with
// an error.
func parseDocumentManifest(value []byte, off int64) (map[string]any, error) {
	isCBOR := bytes.HasPrefix(value, document.CBORMagic)
	if isCBOR && len(value) > maxCBOR || !isCBOR && elements(value) > maxJSON {
		return nil, formatError(off, "object, size", decode.ErrLimit)
	}
	// This finds what is wrong, and where. The library's errors quote the value.
	doc, err := document.Parse(value, off, document.ToTheEnd)
	if err != nil {
		return nil, err
	}
	var object map[string]any
	if doc.Unmarshal(value, &object) != nil {
		return nil, formatError(off, "object", decode.ErrValue)
	}
	return limited(object, off, nil)
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

func newObject(t TypeMeta) (kubeObject, bool) {
	o, err := kinds().New(schema.FromAPIVersionAndKind(t.APIVersion, t.Kind))
	if err != nil {
		return nil, false
	}
	k, ok := o.(kubeObject) // no list, and none of the types of requests
	return k, ok
}

// parseProtobufManifest returns no object along with an error, nor one of an
// unknown kind.
func parseProtobufManifest(value []byte, off int64) (map[string]any, error) {
	u, err := unknown.Parse(value, off)
	if err != nil {
		return nil, err
	}
	o, ok := newObject(protobufType(&u))
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
	object, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
	if err != nil {
		return nil, formatError(u.RawOff, "object, protobuf", decode.ErrValue)
	}
	return limited(object, u.RawOff, nil)
}

// wholeFields is a message up to the field that is cut or damaged.
func wholeFields(message []byte) []byte {
	n := 0
	wire.Each(message, func(f wire.Field) error { n += f.Size; return nil })
	return message[:n]
}

func (m *Meta) manifest() map[string]any {
	created := ""
	if !m.CreationTimestamp.IsZero() {
		created = m.CreationTimestamp.Format(time.RFC3339)
	}
	object := texts("apiVersion", m.APIVersion, "kind", m.Kind)
	if metadata := texts("name", m.Name, "namespace", m.Namespace, "uid", m.UID, "creationTimestamp", created); len(metadata) > 0 {
		object["metadata"] = metadata
	}
	if len(object) == 0 {
		return nil
	}
	return object
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
func limited(object map[string]any, off int64, err error) (map[string]any, error) {
	if left := maxElements; !fits(object, maxDepth, &left) {
		return nil, cmp.Or(err, formatError(off, "object, elements", decode.ErrLimit))
	}
	return object, err
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
