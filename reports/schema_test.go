package reports

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"go/types"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/etcdsift/etcdsift/analyzer/report"
)

// schemaWords is the words of each list in the schema, by the place of the list.
var schemaWords = map[string][]string{
	"/properties/verdict/properties/leftOut/items":                                    names(report.AllLeftOut()),
	"/properties/inventory/items/properties/providers/propertyNames":                  names(report.Providers()),
	"/$defs/evidence/properties/kind":                                                 names(report.Kinds()),
	"/$defs/evidence/properties/snapshotHash":                                         names(report.SnapshotHashes()),
	"/$defs/evidence/properties/secondWitness/properties/result":                      names(report.WitnessResults()),
	"/$defs/coverage/properties/unattributed/items/properties/looksLike":              names(report.AllLooks()),
	"/$defs/copy/properties/region":                                                   names(report.Regions()),
	"/$defs/exposure/properties/status":                                               names([]report.Status{report.StatusPlaintext, report.StatusExposed}),
	"/$defs/exposure/properties/state":                                                names(report.States()),
	"/$defs/exposure/properties/current/properties/provider":                          names(report.Providers()),
	"/$defs/exposure/properties/validity/properties/status":                           names(report.Uses()),
	"/$defs/exposure/properties/validity/properties/dataKeys/items/properties/status": names(report.Uses()),
	"/$defs/finding/properties/severity":                                              report.SeverityNames()[1:],
	"/$defs/value/properties/provider":                                                names(report.Providers()),
	"/$defs/value/properties/encoding":                                                append(names(report.Encodings()), ""),
	"/$defs/value/properties/proof":                                                   names(report.Proofs()),
	"/$defs/value/properties/policy":                                                  names(report.Policies()),
	"/$defs/info/properties/evidence/items/properties/kind":                           names(report.Kinds()),
	"/$defs/info/properties/evidence/items/properties/snapshotHash":                   names(report.SnapshotHashes()),
	"/$defs/info/properties/evidence/items/properties/byteOrder":                      {"little-endian", "big-endian", ""},
	"/$defs/occurrence/properties/region":                                             names(report.Regions()),
	"/$defs/occurrence/properties/provider":                                           names(report.Providers()),
	"/$defs/occurrence/properties/encoding":                                           names(report.Encodings()),
	"/$defs/occurrence/properties/proof":                                              names(report.Proofs()),
	"/$defs/history/properties/state":                                                 names(report.States()),
	"/$defs/keyUse/properties/provider":                                               names(encrypting()),
	"/$defs/keyUse/properties/proof":                                                  names(report.Proofs()),
	"/$defs/keyUse/properties/config":                                                 names(report.ConfigUses()),
	"/$defs/retirement/properties/answer":                                             names(report.RetireAnswers()),
	"/$defs/verdictStatus":                                                            names(report.Reasons()),
	"/$defs/run/properties/failOn":                                                    report.SeverityNames(),
}

// encrypting is the providers that have a key.
func encrypting() []report.Provider {
	return slices.DeleteFunc(report.Providers(), func(p report.Provider) bool {
		return p == report.ProviderUnknown || p == report.ProviderIdentity
	})
}

func names[W any](list []W) []string {
	out := make([]string, len(list))
	for i, w := range list {
		out[i] = fmt.Sprint(w)
	}
	return out
}

// Wherever the schema lists words, it lists those of its place, and all of them.
func TestSchemaWords(t *testing.T) {
	var schema any
	if err := json.Unmarshal(Schema, &schema); err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	var walk func(place string, v any)
	walk = func(place string, v any) {
		switch v := v.(type) {
		case map[string]any:
			if list, ok := enumOf(v); ok {
				found[place] = true
				if want := slices.Sorted(slices.Values(schemaWords[place])); !slices.Equal(list, want) {
					t.Errorf("the schema has %q at %s, the words are %q", list, place, want)
				}
			}
			for key, child := range v {
				walk(place+"/"+key, child)
			}
		case []any:
			for i, child := range v {
				walk(fmt.Sprintf("%s/%d", place, i), child)
			}
		}
	}
	walk("", schema)
	for place := range schemaWords {
		if !found[place] {
			t.Errorf("the schema lists no words at %s", place)
		}
	}
}

// enumOf is the sorted words that a schema lists; false if it lists no words.
func enumOf(schema map[string]any) (list []string, ok bool) {
	enum, _ := schema["enum"].([]any)
	for _, word := range enum {
		s, ok := word.(string)
		if !ok {
			return nil, false
		}
		list = append(list, s)
	}
	slices.Sort(list)
	return list, len(list) > 0
}

// wordLists is the list of each type of words in package report.
var wordLists = map[string][]string{
	"Provider": names(report.Providers()), "Encoding": names(report.Encodings()), "Looks": names(report.AllLooks()),
	"Proof": names(report.Proofs()), "Policy": names(report.Policies()), "ConfigUse": names(report.ConfigUses()),
	"Kind": names(report.Kinds()), "SnapshotHash": names(report.SnapshotHashes()), "State": names(report.States()),
	"Use": names(report.Uses()), "Severity": report.SeverityNames(), "RetireAnswer": names(report.RetireAnswers()),
	"Region": names(report.Regions()), "Status": names(report.Statuses()), "LeftOut": names(report.AllLeftOut()),
	"WitnessResult": names(report.WitnessResults()),
}

// Every type of package report that has constants lists all of them, and the schema lists the words of every
// such type. The IDs of rules have no list there: rules may be added.
func TestWordLists(t *testing.T) {
	declared := constants(t, "../analyzer/report")
	delete(declared, "RuleID")
	for name, values := range declared {
		list := wordLists[name]
		if len(list) != len(values) {
			t.Errorf("%s has %d constants, %v, and its list has %q", name, len(values), values, list)
			continue
		}
		for _, v := range values {
			if v.Kind() == constant.String && !slices.Contains(list, constant.StringVal(v)) {
				t.Errorf("%s is a %s, and not in its list %q", v, name, list)
			}
		}
		if len(slices.Compact(slices.Sorted(slices.Values(list)))) != len(list) {
			t.Errorf("the list of %s has a word twice: %q", name, list)
		}
		inSchema := name == "Status" // some in one place, some in another
		for _, words := range schemaWords {
			inSchema = inSchema || slices.Equal(words, list)
		}
		if !inSchema {
			t.Errorf("no place in the schema has the words of %s, %q", name, list)
		}
	}
	for name := range wordLists {
		if declared[name] == nil {
			t.Errorf("package report has no constant of a type %s", name)
		}
	}
}

// emptyPackages imports every package as one that has nothing.
type emptyPackages struct{}

func (emptyPackages) Import(name string) (*types.Package, error) {
	p := types.NewPackage(name, path.Base(name))
	p.MarkComplete()
	return p, nil
}

// constants is the values of the constants of each type that the package in dir declares.
func constants(t *testing.T, dir string) map[string][]constant.Value {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	set := token.NewFileSet()
	var files []*ast.File
	for _, name := range paths {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(set, name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	// No constant of a word needs another package, so errors about those do not count.
	config := types.Config{IgnoreFuncBodies: true, Importer: emptyPackages{}, Error: func(error) {}}
	pkg, _ := config.Check("report", set, files, nil)
	values := map[string][]constant.Value{}
	for _, name := range pkg.Scope().Names() {
		c, ok := pkg.Scope().Lookup(name).(*types.Const)
		if !ok {
			continue
		}
		if named, ok := c.Type().(*types.Named); ok && named.Obj().Pkg() == pkg {
			values[named.Obj().Name()] = append(values[named.Obj().Name()], c.Val())
		}
	}
	return values
}
