package reports

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/etcdsift/etcdsift/analyzer/report"
)

// Wherever the schema lists the words of one kind, it lists all of them.
func TestSchemaWords(t *testing.T) {
	var schema any
	if err := json.Unmarshal(Schema, &schema); err != nil {
		t.Fatal(err)
	}
	kinds := map[string][]string{
		"identity": words(report.Providers()), "protobuf": words(report.Encodings()), "random": words(report.AllLooks()),
		"proven": words(report.Proofs()), "wrong-provider": words(report.Policies()), "writes": words(report.ConfigUses()),
	}
	found := map[string]int{}
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if enum, ok := v["enum"].([]any); ok {
				var list []string
				for _, word := range enum {
					if s, ok := word.(string); ok && s != "" {
						list = append(list, s)
					}
				}
				for mark, want := range kinds {
					if slices.Contains(list, mark) {
						found[mark]++
						slices.Sort(list)
						if !slices.Equal(list, want) {
							t.Errorf("the schema has %q, the words are %q", list, want)
						}
					}
				}
			}
			for _, child := range v {
				walk(child)
			}
		case []any:
			for _, child := range v {
				walk(child)
			}
		}
	}
	walk(schema)
	for mark := range kinds {
		if found[mark] == 0 {
			t.Errorf("no list of words in the schema has %q", mark)
		}
	}
}

func words[W ~string](list []W) []string {
	out := make([]string, len(list))
	for i, w := range list {
		out[i] = string(w)
	}
	slices.Sort(out)
	return out
}
