package carve

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"errors"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/etcdsift/etcdsift/decode"
	"github.com/etcdsift/etcdsift/decode/internal/kubename"
	"github.com/etcdsift/etcdsift/decode/internal/unknown"
	"github.com/etcdsift/etcdsift/decode/internal/wire"
	"github.com/etcdsift/etcdsift/decode/object"
)

// An Embedded is a whole Secret inside the value of another object.
type Embedded struct {
	Off, Size int  // of the bytes that it covers, in the value
	Escaped   bool // they are a part of a string of JSON, with its escapes

	// Object is the Secret as package object reads it: of YAML its JSON. It may alias the value.
	Object          []byte
	Namespace, Name string // empty where the Secret has none, or none that can be one
}

const (
	// maxNesting bounds how deep texts in texts, and messages in messages, are looked into. The
	// manifest in an annotation of an object in a List in a ConfigMap needs half of it.
	maxNesting = 12

	// secretsEffort is how often Secrets may look at each byte of a value, and spareEffort how
	// many bytes it may look at beyond that. A value that is made to cost more hides what is behind.
	secretsEffort = 16
	spareEffort   = 64 << 10

	// maxManifest bounds what is parsed as YAML, in bytes. etcd takes values of 1.5 MiB.
	maxManifest = 2 << 20
)

// MayHoldSecrets reports whether Secrets has to look at a value: whether a kind of Secret, or of a
// SecretList, stands in it anywhere. It costs one search for the word, because nearly no value has
// it there.
func MayHoldSecrets(value []byte) bool { return nextKind(value, 0) >= 0 }

// Secrets finds the whole Secrets in the value of another object, in order of their positions. It
// finds them in the strings of JSON, in the fields of protobuf, and in what is text in any other
// value, in these forms:
//
//   - JSON: an object whose kind is Secret, wherever it stands in other JSON or text; and the items
//     of a SecretList, which do not say what they are.
//   - JSON and YAML in a string of JSON, such as an annotation, however often it is escaped.
//   - YAML in the block style, as a document or as a part of one, such as an item of a List. Escapes
//     of YAML itself and its flow style are not read.
//   - Protobuf behind k8s\x00.
//
// A Secret counts if its apiVersion is v1, and it has a datum that is more than a placeholder. What
// lies in a Secret is a part of it. Base64 and compression are not undone.
//
// Secrets takes time linear in len(value): see secretsEffort. searched is false if that was not enough
// to look at all of the value.
func Secrets(value []byte) (found []Embedded, searched bool) {
	if !MayHoldSecrets(value) {
		return nil, true
	}
	f := secretFinder{effort: secretsEffort*len(value) + spareEffort}
	f.find(part{b: value, at: func(i int) int { return i }})
	return outermost(f.found), f.effort >= 0
}

// outermost sorts what was found by position, and drops what lies in another Secret, such as the
// annotation in which a Secret of YAML has itself once more.
func outermost(found []Embedded) []Embedded {
	slices.SortStableFunc(found, func(x, y Embedded) int { return cmp.Or(cmp.Compare(x.Off, y.Off), cmp.Compare(y.Size, x.Size)) })
	kept := found[:0]
	end := 0
	for i, e := range found {
		if i == 0 || e.Off >= end {
			kept = append(kept, e)
			end = e.Off + e.Size
		} else if last := kept[len(kept)-1]; e.Off == last.Off && e.Size == last.Size && (e.Namespace != last.Namespace || e.Name != last.Name) {
			kept = append(kept, e) // of one list, of which the places of the items are not known
		}
	}
	return kept
}

var (
	secretWord = []byte("Secret")
	listWord   = []byte("List")

	// protobufKind is what stands before the kind of a runtime.Unknown of version v1.
	protobufKind = []byte("\x0a\x02v1\x12\x06")
	listKind     = []byte("\x0a\x02v1\x12\x0a")
)

// maxBefore bounds what may stand between a kind and the name of its field, in bytes.
const maxBefore = 48

// nextKind returns where the first word Secret from pos on stands that is a kind, -1 for nowhere.
func nextKind(b []byte, pos int) int {
	for pos < len(b) {
		i := bytes.Index(b[pos:], secretWord)
		if i < 0 {
			return -1
		}
		at := pos + i
		pos = at + len(secretWord)
		if isKindAt(b, at) {
			return at
		}
	}
	return -1
}

// isKindAt reports whether the word Secret at at is the kind of an object.
func isKindAt(b []byte, at int) bool {
	rest := bytes.TrimPrefix(b[at+len(secretWord):], listWord)
	if bytes.HasSuffix(b[:at], protobufKind) || bytes.HasSuffix(b[:at], listKind) {
		return true // what follows may be any byte
	}
	if len(rest) > 0 && kubename.IsAlphanumeric(rest[0]) {
		return false
	}
	_, ok := fieldBefore(b, at)
	return ok
}

// fieldBefore returns where the field kind starts whose value starts at at, without a quote.
func fieldBefore(b []byte, at int) (int, bool) {
	const between = " \t\r\n\"'\\"
	low := max(0, at-maxBefore)
	s := bytes.TrimRight(b[low:at], between)
	if !bytes.HasSuffix(s, []byte(":")) {
		return 0, false
	}
	s = bytes.TrimRight(s[:len(s)-1], between)
	start := low + len(s) - len("kind")
	return start, bytes.HasSuffix(s, []byte("kind")) && (start == 0 || !kubename.IsAlphanumeric(b[start-1]) || b[start-1] == 'n')
}

// A part is bytes of a value that are looked through for themselves.
type part struct {
	b       []byte
	at      func(i int) int // where byte i of b is in the value; i may be len(b)
	escaped bool
	depth   int
}

// sub is b[start:end] as a part.
func (p part) sub(start, end int) part {
	return part{p.b[start:end], func(i int) int { return p.at(start + i) }, p.escaped, p.depth + 1}
}

// A secretFinder is the state of one Secrets.
type secretFinder struct {
	found  []Embedded
	effort int // how many bytes it may yet look at
}

// spend reports whether n more bytes may be looked at.
func (f *secretFinder) spend(n int) bool {
	f.effort -= n
	return f.effort >= 0
}

// find looks through a part of any form.
func (f *secretFinder) find(p part) {
	if p.depth > maxNesting || !MayHoldSecrets(p.b) || !f.spend(len(p.b)) {
		return
	}
	if bytes.HasPrefix(p.b, unknown.Magic) {
		u, ok := unknown.ParseStart(p.b)
		if !ok || !u.Whole || !isSecret(u.APIVersion, u.Kind) || !f.add(p.sub(0, u.Size), p.b[:u.Size]) {
			f.message(p.sub(len(unknown.Magic), len(p.b)))
		}
		return
	}
	if isAllText(p.b) {
		f.text(p)
	} else {
		f.message(p)
	}
}

// isSecret reports whether a type is that of a Secret.
func isSecret(apiVersion, kind string) bool { return apiVersion == "v1" && kind == "Secret" }

// isAllText reports whether b is text in UTF-8.
func isAllText(b []byte) bool { return textLength(b) == len(b) }

// message looks through the fields of a message of protobuf, which may be cut, and through the text
// in what is none.
func (f *secretFinder) message(p part) {
	if !isMessage(p.b) {
		f.runs(p)
		return
	}
	for pos := 0; pos < len(p.b); {
		field, err := wire.Next(p.b[pos:])
		if pos += field.Size; err != nil {
			pos = len(p.b)
		}
		if field.Type == protowire.BytesType && len(field.Bytes) > 0 {
			f.find(p.sub(pos-len(field.Bytes), pos))
		}
	}
}

// isMessage reports whether b is a message of protobuf, or the start of one.
func isMessage(b []byte) bool {
	for len(b) > 0 {
		field, err := wire.Next(b)
		if err != nil {
			return errors.Is(err, decode.ErrTruncated)
		}
		b = b[field.Size:]
	}
	return true
}

// runs looks through each stretch of text in bytes that have no form.
func (f *secretFinder) runs(p part) {
	if !f.spend(len(p.b)) {
		return
	}
	start := 0
	for i, c := range p.b {
		if isText(c) || c >= 0x80 {
			continue
		}
		f.run(p, start, i)
		start = i + 1
	}
	f.run(p, start, len(p.b))
}

func (f *secretFinder) run(p part, start, end int) {
	if run := p.sub(start, end); MayHoldSecrets(run.b) {
		f.text(run)
	}
}

// text looks through text for JSON, and for YAML where no JSON has the kind.
func (f *secretFinder) text(p part) {
	covered := f.documents(p) // how far the JSON documents tell of all kinds
	for pos := 0; ; {
		at := nextKind(p.b, pos)
		if at < 0 || f.effort < 0 {
			return
		}
		for len(covered) > 0 && covered[0].end <= at {
			covered = covered[1:]
		}
		if len(covered) > 0 && covered[0].start <= at {
			pos = covered[0].end
		} else {
			pos = f.yaml(p, at)
		}
	}
}

// A span is bytes of a part.
type span struct{ start, end int }

// documents looks through each JSON object in text, and returns where they are: those that have a
// kind in them, in order.
func (f *secretFinder) documents(p part) (covered []span) {
	kind := -1
	for pos := 0; ; {
		if kind < pos {
			kind = nextKind(p.b, pos)
		}
		start := bytes.IndexByte(p.b[pos:], '{')
		if kind < 0 || start < 0 {
			return covered
		}
		if start += pos; start > kind {
			pos = kind + len(secretWord) // nothing opens before it
			continue
		}
		j := scanJSON(p.b[start:])
		if !f.spend(j.size + scanEffort) {
			return covered
		}
		if !j.whole {
			pos = start + 1
			continue
		}
		end := start + j.size
		if kind < end {
			w := jsonWalk{f: f, p: p, pos: start}
			w.object()
			covered = append(covered, span{start, end})
		}
		pos = end
	}
}

// scanEffort is what a scanJSON costs beside the bytes that it reads, as so many bytes.
const scanEffort = 64

// add adds the Secret in object, if it has data. p is what it covers.
func (f *secretFinder) add(p part, object []byte) bool {
	e, ok := secretIn(object)
	if !ok {
		return false
	}
	e.Off, e.Escaped = p.at(0), p.escaped
	e.Size = p.at(len(p.b)) - e.Off
	f.found = append(f.found, e)
	return true
}

// secretIn reads a Secret. It is false if that has no data.
func secretIn(b []byte) (Embedded, bool) {
	n, _ := object.ParseName(b, 0) // a broken one leaves its names empty
	data, _, _ := object.ParseSecretData(b, 0)
	if !isSecret(n.APIVersion, n.Kind) || !slices.ContainsFunc(data, func(d object.Datum) bool { return isReal(d.Value) }) {
		return Embedded{}, false
	}
	e := Embedded{Object: b}
	if kubename.IsLabel(n.Namespace) {
		e.Namespace = n.Namespace
	}
	if isName([]byte(n.Name)) {
		e.Name = n.Name
	}
	return e, true
}

// isReal reports whether a datum is more than what stands for one: nothing, one sign again and
// again, in base64 too, or a variable of a template.
func isReal(datum []byte) bool {
	s := strings.TrimSpace(string(datum))
	if s == "" || isFill(s) || isFill(base64.StdEncoding.EncodeToString(datum)) {
		return false
	}
	for _, around := range [][2]string{{"${", "}"}, {"$(", ")"}, {"{{", "}}"}, {"<", ">"}} {
		inner, left := strings.CutPrefix(s, around[0])
		inner, right := strings.CutSuffix(inner, around[1])
		if left && right && isVariable(inner) {
			return false
		}
	}
	return !strings.EqualFold(strings.Trim(s, "[]*"), "redacted")
}

// isFill reports whether s is one sign that fills a field, again and again.
func isFill(s string) bool {
	return strings.Trim(s, s[:1]) == "" && strings.Contains("*+-.xX", s[:1])
}

// isVariable reports whether s may be the name of a variable, or a path to it.
func isVariable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool {
		return r > '~' || !kubename.IsAlphanumeric(byte(r)) && !strings.ContainsRune(" _-.$|:\"", r)
	})
}
