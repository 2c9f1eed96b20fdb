package report

import (
	"reflect"
	"strings"
	"testing"
)

// An answer is data: from none of its fields a way leads to anything but the words of this
// package, so that it keeps nothing of the run alive, and can be written and compared.
func TestAnswersAreData(t *testing.T) {
	here := reflect.TypeFor[Report]().PkgPath()
	met := map[reflect.Type]bool{}
	var walk func(reflect.Type, string)
	walk = func(typ reflect.Type, at string) {
		if met[typ] {
			return
		}
		met[typ] = true
		if pkg := typ.PkgPath(); pkg != "" && pkg != here {
			t.Errorf("%s is a %s", at, typ)
		}
		switch typ.Kind() {
		case reflect.Func, reflect.Chan, reflect.Interface, reflect.UnsafePointer:
			t.Errorf("%s is a %s", at, typ.Kind())
		case reflect.Pointer, reflect.Slice, reflect.Array:
			walk(typ.Elem(), at)
		case reflect.Map:
			walk(typ.Key(), at)
			walk(typ.Elem(), at)
		case reflect.Struct:
			for f := range fields(typ) {
				walk(f.Type, at+"."+f.Name)
				if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); f.IsExported() && !f.Anonymous && name == "" {
					t.Errorf("%s.%s has no name in JSON", at, f.Name)
				}
			}
		}
	}
	walk(reflect.TypeFor[Report](), "Report")
	walk(reflect.TypeFor[KeysReport](), "KeysReport")
	walk(reflect.TypeFor[HistoryReport](), "HistoryReport")
	walk(reflect.TypeFor[Value](), "Value")
	if len(met) < 30 {
		t.Errorf("%d types: the test looks at nothing", len(met))
	}
}

func fields(typ reflect.Type) func(func(reflect.StructField) bool) {
	return func(yield func(reflect.StructField) bool) {
		for i := range typ.NumField() {
			if !yield(typ.Field(i)) {
				return
			}
		}
	}
}
