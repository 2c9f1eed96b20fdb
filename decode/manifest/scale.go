package manifest

import (
	"encoding/json"
	"reflect"
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/etcdsift/etcdsift/decode"
	"github.com/etcdsift/etcdsift/decode/internal/wire"
)

// A scale weighs a protobuf message before the generated decoder gets it. That decoder knows
// no bounds: two bytes are an empty Container of nearly a kilobyte, a schema may nest in
// itself as deep as there are bytes, and a resource.Quantity of 30 digits may take longer
// than anybody has. A scale walks the message as the decoder does, by the field numbers in
// the tags of the Go types.
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

// checkQuantity refuses what resource.ParseQuantity would take ages for, because it writes
// out exponents.
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
