package object

import (
	"bytes"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	admissionregistrationv1alpha1 "k8s.io/api/admissionregistration/v1alpha1"
	admissionregistrationv1beta1 "k8s.io/api/admissionregistration/v1beta1"
	internalv1alpha1 "k8s.io/api/apiserverinternal/v1alpha1"
	appsv1 "k8s.io/api/apps/v1"
	appsv1beta1 "k8s.io/api/apps/v1beta1"
	appsv1beta2 "k8s.io/api/apps/v1beta2"
	authenticationv1 "k8s.io/api/authentication/v1"
	authenticationv1alpha1 "k8s.io/api/authentication/v1alpha1"
	authenticationv1beta1 "k8s.io/api/authentication/v1beta1"
	authorizationv1 "k8s.io/api/authorization/v1"
	authorizationv1beta1 "k8s.io/api/authorization/v1beta1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	batchv1beta1 "k8s.io/api/batch/v1beta1"
	certificatesv1 "k8s.io/api/certificates/v1"
	certificatesv1alpha1 "k8s.io/api/certificates/v1alpha1"
	certificatesv1beta1 "k8s.io/api/certificates/v1beta1"
	coordinationv1 "k8s.io/api/coordination/v1"
	coordinationv1alpha2 "k8s.io/api/coordination/v1alpha2"
	coordinationv1beta1 "k8s.io/api/coordination/v1beta1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	discoveryv1beta1 "k8s.io/api/discovery/v1beta1"
	eventsv1 "k8s.io/api/events/v1"
	eventsv1beta1 "k8s.io/api/events/v1beta1"
	extensionsv1beta1 "k8s.io/api/extensions/v1beta1"
	flowcontrolv1 "k8s.io/api/flowcontrol/v1"
	flowcontrolv1beta1 "k8s.io/api/flowcontrol/v1beta1"
	flowcontrolv1beta2 "k8s.io/api/flowcontrol/v1beta2"
	flowcontrolv1beta3 "k8s.io/api/flowcontrol/v1beta3"
	lifecyclev1alpha1 "k8s.io/api/lifecycle/v1alpha1"
	networkingv1 "k8s.io/api/networking/v1"
	networkingv1beta1 "k8s.io/api/networking/v1beta1"
	nodev1 "k8s.io/api/node/v1"
	nodev1alpha1 "k8s.io/api/node/v1alpha1"
	nodev1beta1 "k8s.io/api/node/v1beta1"
	policyv1 "k8s.io/api/policy/v1"
	policyv1beta1 "k8s.io/api/policy/v1beta1"
	rbacv1 "k8s.io/api/rbac/v1"
	rbacv1alpha1 "k8s.io/api/rbac/v1alpha1"
	rbacv1beta1 "k8s.io/api/rbac/v1beta1"
	resourcev1 "k8s.io/api/resource/v1"
	resourcev1alpha3 "k8s.io/api/resource/v1alpha3"
	resourcev1beta1 "k8s.io/api/resource/v1beta1"
	resourcev1beta2 "k8s.io/api/resource/v1beta2"
	schedulingv1 "k8s.io/api/scheduling/v1"
	schedulingv1alpha3 "k8s.io/api/scheduling/v1alpha3"
	schedulingv1beta1 "k8s.io/api/scheduling/v1beta1"
	storagev1 "k8s.io/api/storage/v1"
	storagev1alpha1 "k8s.io/api/storage/v1alpha1"
	storagev1beta1 "k8s.io/api/storage/v1beta1"
	storagemigrationv1 "k8s.io/api/storagemigration/v1"
	storagemigrationv1beta1 "k8s.io/api/storagemigration/v1beta1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apiextensionsv1beta1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1beta1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/etcdsift/etcdsift/decode"
	"github.com/etcdsift/etcdsift/decode/internal/wire"
)

// kinds are the types that Kubernetes stores as protobuf. Three groups of
// k8s.io/api are left out, as no API server stores them: admission, imagepolicy
// and apidiscovery. A group that could not be added would be one of unknown
// kinds; none is, as a test holds.
var kinds = sync.OnceValue(func() *runtime.Scheme {
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		admissionregistrationv1.AddToScheme, admissionregistrationv1alpha1.AddToScheme,
		admissionregistrationv1beta1.AddToScheme, apiextensionsv1.AddToScheme, apiextensionsv1beta1.AddToScheme,
		appsv1.AddToScheme, appsv1beta1.AddToScheme, appsv1beta2.AddToScheme, authenticationv1.AddToScheme,
		authenticationv1alpha1.AddToScheme, authenticationv1beta1.AddToScheme, authorizationv1.AddToScheme,
		authorizationv1beta1.AddToScheme, autoscalingv1.AddToScheme, autoscalingv2.AddToScheme, batchv1.AddToScheme,
		batchv1beta1.AddToScheme, certificatesv1.AddToScheme, certificatesv1alpha1.AddToScheme,
		certificatesv1beta1.AddToScheme, coordinationv1.AddToScheme, coordinationv1alpha2.AddToScheme,
		coordinationv1beta1.AddToScheme, corev1.AddToScheme, discoveryv1.AddToScheme, discoveryv1beta1.AddToScheme,
		eventsv1.AddToScheme, eventsv1beta1.AddToScheme, extensionsv1beta1.AddToScheme, flowcontrolv1.AddToScheme,
		flowcontrolv1beta1.AddToScheme, flowcontrolv1beta2.AddToScheme, flowcontrolv1beta3.AddToScheme,
		internalv1alpha1.AddToScheme, lifecyclev1alpha1.AddToScheme, networkingv1.AddToScheme, networkingv1beta1.AddToScheme,
		nodev1.AddToScheme, nodev1alpha1.AddToScheme, nodev1beta1.AddToScheme, policyv1.AddToScheme,
		policyv1beta1.AddToScheme, rbacv1.AddToScheme, rbacv1alpha1.AddToScheme, rbacv1beta1.AddToScheme,
		resourcev1.AddToScheme, resourcev1alpha3.AddToScheme, resourcev1beta1.AddToScheme, resourcev1beta2.AddToScheme,
		schedulingv1.AddToScheme, schedulingv1alpha3.AddToScheme, schedulingv1beta1.AddToScheme,
		storagemigrationv1.AddToScheme, storagemigrationv1beta1.AddToScheme, storagev1.AddToScheme,
		storagev1alpha1.AddToScheme, storagev1beta1.AddToScheme,
	} {
		if err := add(s); err != nil {
			continue
		}
	}
	return s
})

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
		object, err = meta.manifest(), firstError(err, metaErr)
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
	case bytes.HasPrefix(value, protobufMagic):
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
	return partial, firstError(err, partialErr)
}

// parsePartial is parseManifest for the metadata alone.
func parsePartial(value []byte, off int64) (map[string]any, error) {
	if bytes.HasPrefix(value, protobufMagic) {
		u, err := parseUnknown(value, off)
		object, partialErr := u.manifest(&metav1.PartialObjectMetadata{}, wholeFields(u.raw))
		return object, firstError(err, partialErr)
	}
	doc, err := parseDocument(value, off, toTheEnd, "apiVersion", "kind", "metadata")
	object := map[string]any{}
	for name, encoded := range doc.fields {
		var field any
		if elements(encoded) > maxJSON || len(encoded) > maxCBOR {
			err = firstError(err, formatError(off, "object, "+name, decode.ErrLimit))
		} else if doc.get(name, &field, &err); field != nil {
			object[name] = field
		}
	}
	return limited(object, off, err)
}

// parseDocumentManifest decodes JSON and CBOR. It returns no object along with
// an error.
func parseDocumentManifest(value []byte, off int64) (map[string]any, error) {
	isCBOR := bytes.HasPrefix(value, cborMagic)
	if isCBOR && len(value) > maxCBOR || !isCBOR && elements(value) > maxJSON {
		return nil, formatError(off, "object, size", decode.ErrLimit)
	}
	// This finds what is wrong, and where. The library's errors quote the value.
	doc, err := parseDocument(value, off, toTheEnd)
	if err != nil {
		return nil, err
	}
	var object map[string]any
	if doc.unmarshal(value, &object) != nil {
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
	u, err := parseUnknown(value, off)
	if err != nil {
		return nil, err
	}
	o, ok := newObject(u.TypeMeta)
	if !ok {
		return nil, nil
	}
	return u.manifest(o, u.raw)
}

// manifest decodes raw into o, and that into a map.
func (u *unknown) manifest(o kubeObject, raw []byte) (map[string]any, error) {
	s := scale{left: maxMemory, fields: map[reflect.Type]map[protowire.Number]reflect.Type{}}
	if err := s.message(reflect.TypeOf(o).Elem(), raw, 0); err != nil {
		return nil, formatError(u.rawOff, "object, protobuf", err)
	}
	if err := o.Unmarshal(raw); err != nil {
		return nil, formatError(u.rawOff, "object, protobuf", libraryCause(err))
	}
	o.SetManagedFields(nil) // may be no JSON
	o.GetObjectKind().SetGroupVersionKind(schema.FromAPIVersionAndKind(u.APIVersion, u.Kind))
	object, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
	if err != nil {
		return nil, formatError(u.rawOff, "object, protobuf", decode.ErrValue)
	}
	return limited(object, u.rawOff, nil)
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
		return nil, firstError(err, formatError(off, "object, elements", decode.ErrLimit))
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

// A scale weighs a protobuf message before the generated decoder gets it, which
// knows no bounds: two bytes are an empty Container of nearly a kilobyte, a
// schema may nest in itself as deep as there are bytes, and a resource.Quantity
// of 30 digits may take longer than anybody has. It walks the message as the
// decoder does, by the field numbers in the tags of the Go types.
type scale struct {
	left   int // bytes of memory
	fields map[reflect.Type]map[protowire.Number]reflect.Type
}

// message weighs a message of type t. Its error is that of package wire, or
// ErrLimit, or ErrValue for what no API server writes.
func (s *scale) message(t reflect.Type, message []byte, depth int) error {
	if s.left -= int(t.Size()) + structsAsMaps; s.left < 0 || depth > maxDepth {
		return decode.ErrLimit
	}
	if t == reflect.TypeFor[resource.Quantity]() {
		return checkQuantity(message)
	}
	if t.Implements(reflect.TypeFor[json.Marshaler]()) {
		s.left -= 64 * len(message) // JSON or CBOR in it, which becomes a map
	}
	fields := s.fieldsOf(t)
	return wire.Each(message, func(f wire.Field) error {
		if s.left -= 64; s.left < 0 {
			return decode.ErrLimit
		}
		switch field := fields[f.Num]; {
		case f.Type == protowire.StartGroupType:
			return decode.ErrValue // quantities would recurse into it
		case field == nil || f.Type != protowire.BytesType:
			return nil
		default:
			return s.field(field, f.Bytes, depth+1)
		}
	})
}

// field weighs one occurrence of a field of type t.
func (s *scale) field(t reflect.Type, b []byte, depth int) error {
	switch t.Kind() {
	case reflect.Pointer:
		return s.field(t.Elem(), b, depth)
	case reflect.Struct:
		return s.message(t, b, depth)
	case reflect.Map:
		s.left -= 2*int(t.Elem().Size()) + structsAsMaps
		return wire.Each(b, func(f wire.Field) error {
			switch {
			case f.Num <= 2 && f.Type != protowire.BytesType:
				return decode.ErrValue // the decoder would take it for a length
			case f.Num == 2:
				return s.field(t.Elem(), f.Bytes, depth)
			}
			return nil
		})
	case reflect.Slice:
		switch elem := t.Elem(); elem.Kind() {
		case reflect.Struct, reflect.Pointer:
			return s.field(elem, b, depth)
		case reflect.Uint8:
		default: // texts, a list of texts as a message, or packed numbers
			s.left -= 16 * len(b)
		}
	}
	return nil
}

// fieldsOf returns the types of a struct's fields by their numbers, which are
// the second item in a tag such as `protobuf:"bytes,1,opt,name=metadata"`.
func (s *scale) fieldsOf(t reflect.Type) map[protowire.Number]reflect.Type {
	fields, ok := s.fields[t]
	if !ok {
		fields = map[protowire.Number]reflect.Type{}
		for f := range t.Fields() {
			tag := strings.Split(f.Tag.Get("protobuf"), ",")
			if num, err := strconv.Atoi(tag[min(1, len(tag)-1)]); err == nil {
				fields[protowire.Number(num)] = f.Type
			}
		}
		s.fields[t] = fields
	}
	return fields
}

// checkQuantity refuses what resource.ParseQuantity would take ages for, as it
// writes out exponents.
func checkQuantity(message []byte) error {
	return wire.Each(message, func(f wire.Field) error {
		text := string(f.Bytes)
		exponent := max(strings.LastIndexAny(text, "eE"), 0)
		if f.Type == protowire.StartGroupType || len(text) > maxQuantity || exponent > 0 && len(text)-exponent > maxExponent {
			return decode.ErrValue
		}
		return nil
	})
}
