package sweep

import (
	"fmt"

	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode/carve"
	"github.com/etcdsift/etcdsift/decode/mvcc"
)

// noteEmbedded keeps the Secrets in a plaintext value of another object, whose key is carrier. at is
// the copy that the value would be. A Secret is no carrier, because what lies in it is its own. Nor
// is a value of the v2 store: its bytes are not those in the file.
func noteEmbedded(ev *seen.Evidence, value, carrier []byte, at seen.Copy) {
	if !ev.Interest.AnySecret || at.Place.IsV2() || !carve.MayHoldSecrets(value) ||
		ev.Interest.HoldsSecret(string(carrier), value, at.Off) {
		return
	}
	addEmbedded(ev, value, at, string(carrier), nil)
}

// maxUnsearched bounds what is said of values that were not searched whole: one makes the answer
// incomplete.
const maxUnsearched = 100

// addEmbedded keeps the Secrets in a value that starts at at.Off. holder is the object that the
// value is if its key is not known; with neither it is a list of Secrets, and no object.
func addEmbedded(ev *seen.Evidence, value []byte, at seen.Copy, carrier string, holder *seen.Unkeyed) {
	off := at.Off
	found, searched := carve.Secrets(value)
	if !searched && len(ev.NotExamined) < maxUnsearched {
		ev.NotExamined = append(ev.NotExamined, report.NotExamined{Path: ev.SourceOf(at.File).Path, Unread: true,
			What: fmt.Sprintf("a part of the value of %d bytes at offset %#x, in which too much looks like the manifest of a Secret", len(value), off)})
	}
	for _, e := range found {
		o := seen.Unkeyed{Copy: at, TypeMeta: seen.SecretType, Namespace: e.Namespace, Name: e.Name, Holder: holder}
		o.Key, o.Entry, o.Create, o.Version = "", 0, 0, 0
		o.Off, o.Size = off+int64(e.Off), int64(e.Size)
		o.Page = ev.PageAt(at.File, o.Off)
		o.Object, o.Complete = true, true
		o.Storage, _ = ev.Keys.ParseStorage(e.Object, o.Off)
		o.Holds = ev.Contents.Add(e.Object, o.Off)
		o.Sum = ev.Interest.Sum(e.Object)
		if carrier == "" && holder == nil {
			o.Rev = mvcc.Revision{}
		} else {
			o.Embedded = true
			// The same Secret in another object is another write.
			o.Sum = ev.Interest.Sum(append([]byte(carrier+"\x00"), e.Object...))
			ev.Carriers[seen.PlaceInFile{File: o.File, Off: o.Off}] = seen.Carrier{Key: ev.KeyName([]byte(carrier)), Escaped: e.Escaped}
		}
		ev.Unkeyed = append(ev.Unkeyed, o)
	}
}
