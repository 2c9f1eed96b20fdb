package judge

import (
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode/object"
)

// A datum in a piece from the middle of an exposed copy is still in use if it is there
// whole, and long enough not to be there by chance.
func TestFindData(t *testing.T) {
	uses := map[string]report.Use{}
	current := []object.Datum{{Name: "password", Value: []byte("hunter2-hunter2")}, {Name: "pin", Value: []byte("1234")},
		{Name: "other", Value: []byte("not in the piece")}}
	findData(uses, []byte("...\x12\x0fhunter2-hunter2...1234..."), current)
	if diff := gocmp.Diff(map[string]report.Use{"password": report.Unchanged}, uses); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
