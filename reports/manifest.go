package reports

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"sigs.k8s.io/yaml"
)

// A Manifest writes one object as `kubectl get -o yaml` does.
//
// Unless Reveal is set, it keeps only the shape and the identity of the object: apiVersion,
// kind, and of metadata name, namespace, uid, generation, resourceVersion, the times and what
// the owners are; of a Secret also its type. Any other text becomes its size ("<redacted: 12
// bytes>", where Secrets and ConfigMaps have base64 that of the bytes in it), any other number
// "<redacted: number>". Names of fields and of data stay if they look like names.
type Manifest struct {
	Reveal   bool
	Revision int64 // becomes the resourceVersion, as the API server has it; 0 if not known
}

// Write writes a map as decode/manifest's Parse returns it, without changing the map. Its
// output is harmless on a terminal, revealed or not, and goes out in one piece.
func (m Manifest) Write(w io.Writer, object map[string]any) error {
	object = m.asRead(object)
	if !m.Reveal {
		object = redactedObject(object)
	}
	var q quoter
	text, err := yaml.Marshal(q.value("", object))
	if err != nil {
		// The library's error may quote its input.
		return errors.New("the object can not be written as YAML")
	}
	_, err = io.WriteString(w, q.restore(string(text)))
	return err
}

// asRead is the object as kubectl reads it from the API server.
func (m Manifest) asRead(object map[string]any) map[string]any {
	metadata, ok := object["metadata"].(map[string]any)
	if !ok && (object["metadata"] != nil || m.Revision <= 0) {
		return object
	}
	object, metadata = maps.Clone(object), maps.Clone(metadata)
	if object == nil {
		object = map[string]any{}
	}
	if metadata == nil {
		metadata = map[string]any{}
	}
	object["metadata"] = metadata
	delete(metadata, "managedFields")
	if m.Revision > 0 {
		metadata["resourceVersion"] = strconv.FormatInt(m.Revision, 10)
	}
	return object
}

func redactedObject(object map[string]any) map[string]any {
	out := redactedMap(object, textSize)
	keep(out, object, "apiVersion", isAPIVersion)
	keep(out, object, "kind", isKind)
	isName := isObjectName
	if object["apiVersion"] == "v1" {
		switch object["kind"] {
		case "Secret":
			isName = isSubdomain
			keep(out, object, "type", isIdentifier)
			redactBase64(out, object, "data")
		case "ConfigMap":
			redactBase64(out, object, "binaryData")
		}
	}
	from, _ := object["metadata"].(map[string]any)
	to, _ := out["metadata"].(map[string]any)
	keep(to, from, "name", isName)
	keep(to, from, "namespace", isLabel)
	keep(to, from, "uid", isLabel)
	keep(to, from, "resourceVersion", isNumber)
	keep(to, from, "creationTimestamp", isTime)
	keep(to, from, "deletionTimestamp", isTime)
	if generation, ok := from["generation"].(int64); ok {
		to["generation"] = generation
	}
	keepOwners(to, from)
	return out
}

func keepOwners(to, from map[string]any) {
	owners, _ := from["ownerReferences"].([]any)
	shown, _ := to["ownerReferences"].([]any)
	for i := range owners {
		from, _ := owners[i].(map[string]any)
		to, _ := shown[i].(map[string]any)
		keep(to, from, "apiVersion", isAPIVersion)
		keep(to, from, "kind", isKind)
		keep(to, from, "name", isObjectName)
		keep(to, from, "uid", isLabel)
	}
}

// keep puts a text back in its place if it may be what belongs there: one
// damaged byte is enough to put some other text, such as a datum, in its place.
func keep(to, from map[string]any, name string, good func(string) bool) {
	if text, ok := from[name].(string); ok && (text == "" || good(text)) {
		to[name] = text
	}
}

func redactBase64(to, from map[string]any, name string) {
	if data, ok := from[name].(map[string]any); ok {
		to[name] = redactedMap(data, base64Size)
	}
}

// redacted is a value of the same shape; size gives the size of a text.
func redacted(v any, size func(string) int) any {
	switch v := v.(type) {
	case nil, bool:
		return v
	case map[string]any:
		return redactedMap(v, size)
	case []any:
		items := make([]any, len(v))
		for i := range v {
			items[i] = redacted(v[i], size)
		}
		return items
	case string:
		return fmt.Sprintf("<redacted: %s>", countOfBytes(size(v)))
	}
	return "<redacted: number>" // there is nothing else in JSON
}

// redactedMap keeps keys apart by a number if they look the same.
func redactedMap(m map[string]any, size func(string) int) map[string]any {
	out := make(map[string]any, len(m))
	ofLength := map[int]int{}
	for _, key := range slices.Sorted(maps.Keys(m)) {
		shown := key
		if !isIdentifier(key) {
			ofLength[len(key)]++
			shown = fmt.Sprintf("<key of %s>", countOfBytes(len(key)))
			if n := ofLength[len(key)]; n > 1 {
				shown = fmt.Sprintf("<key of %s, %d>", countOfBytes(len(key)), n)
			}
		}
		out[shown] = redacted(m[key], size)
	}
	return out
}

func countOfBytes(n int) string { return fmt.Sprintf("%d %s", n, plural(n, "byte", "bytes")) }

func textSize(s string) int { return len(s) }

func base64Size(s string) int {
	if b, err := base64.StdEncoding.DecodeString(s); err == nil {
		return len(b)
	}
	return len(s)
}

// isIdentifier tells a name of a field, a label, an annotation or of data, or
// the type of a Secret.
func isIdentifier(s string) bool { return isOf(s, 253, "._/-", true) }

func isAPIVersion(s string) bool { return isOf(s, 253, "./-", false) }
func isKind(s string) bool       { return isOf(s, 63, "", true) }
func isSubdomain(s string) bool  { return isOf(s, 253, ".-", false) }
func isLabel(s string) bool      { return isOf(s, 63, "-", false) }

// isOf tells 1 to limit bytes of digits, letters and others.
func isOf(s string, limit int, others string, upperCase bool) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case '0' <= c && c <= '9', 'a' <= c && c <= 'z', upperCase && 'A' <= c && c <= 'Z':
		case strings.IndexByte(others, c) < 0:
			return false
		}
	}
	return s != "" && len(s) <= limit
}

// isObjectName tells what can be a segment of a path, because some kinds ask no more of their
// names.
func isObjectName(s string) bool {
	return len(s) <= 253 && !strings.ContainsAny(s, "/%\n\t") && isHarmless(s)
}

func isNumber(s string) bool {
	_, err := strconv.ParseUint(s, 10, 64)
	return err == nil
}

func isTime(s string) bool {
	_, err := time.Parse(time.RFC3339Nano, s)
	return err == nil && len(s) <= len(time.RFC3339Nano)
}

// A quoter takes the texts out of an object that the YAML library refuses to
// write, or writes in a way that does harm, and puts them back in quotes, with
// escapes that YAML and Go have in common. In the meantime a number between two
// characters of private use holds their place, which no harmless text has.
type quoter struct{ quoted []string }

const placeStart, placeEnd = "\ue000", "\ue001"

func (q *quoter) value(field string, v any) any {
	switch v := v.(type) {
	case string:
		return q.text(v, isHarmless(v))
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return strconv.FormatFloat(v, 'g', -1, 64) // no JSON
		}
	case []any:
		items := make([]any, len(v))
		for i := range v {
			items[i] = q.value("", v[i])
		}
		return items
	case map[string]any:
		out := make(map[string]any, len(v))
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if field == "metadata" && key == "creationTimestamp" && v[key] == nil {
				continue // older types have it in their templates
			}
			out[q.text(key, isHarmlessKey(key))] = q.value(key, v[key])
		}
		return out
	}
	return v
}

func (q *quoter) text(s string, harmless bool) string {
	if harmless {
		return s
	}
	quoted := strconv.QuoteToASCII(string([]rune(s))) // U+FFFD for what is not UTF-8
	q.quoted = append(q.quoted, strings.ReplaceAll(quoted, "##", `#\x23`))
	return placeStart + strconv.Itoa(len(q.quoted)-1) + placeEnd
}

// maxSimpleKey is how long a key may be that YAML reads without a question mark before
// it, in characters.
const maxSimpleKey = 1024

// restore puts the quoted texts back.
func (q *quoter) restore(text string) string {
	var b strings.Builder
	column := 0 // of the end of the output, in characters; before a key stand spaces and dashes
	for {
		before, rest, ok := strings.Cut(text, placeStart)
		b.WriteString(before)
		if i := strings.LastIndexByte(before, '\n'); i >= 0 {
			column, before = 0, before[i+1:]
		}
		column += len(before)
		place, after, closed := strings.Cut(rest, placeEnd)
		i, err := strconv.Atoi(place)
		if !ok || !closed || err != nil || i < 0 || i >= len(q.quoted) {
			return b.String()
		}
		quoted := q.quoted[i]
		if strings.HasPrefix(after, ":") && len(quoted) > maxSimpleKey {
			quoted = "? " + quoted + "\n" + strings.Repeat(" ", column)
		}
		b.WriteString(quoted)
		text = after
	}
}

// isHarmlessKey is false also for what the library writes, but would not read as
// a key: one that is too long, and the merge key of YAML.
func isHarmlessKey(s string) bool { return len(s) <= 512 && s != "<<" && isHarmless(s) }

// isHarmless tells a text that does no harm where YAML writes it as it is: to a
// terminal, or as a command to some CI systems, which starts with two colons at the
// start of a line, or two number signs anywhere. YAML breaks lines at spaces.
func isHarmless(s string) bool {
	before := '\n'
	for i, r := range s {
		if r != '\n' && r != '\t' && !isPrintable(r) {
			return false
		}
		if unicode.IsSpace(before) && strings.HasPrefix(s[i:], "::") {
			return false
		}
		before = r
	}
	return utf8.ValidString(s) && !strings.Contains(s, "##")
}
