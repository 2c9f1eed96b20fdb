// Package v2store reads etcd's v2 store: the keys of etcd 2, and up to etcd 3.5 those of clients
// that still use its API. It lies in memory; on the disk are the requests in the WAL, which package
// wal decodes, and the whole store as JSON in each raft snapshot, a file member/snap/TERM-INDEX.snap:
//
//	snappb.Snapshot:  1 crc uint32, CRC-32C of field 2
//	                  2 snap bytes:
//	raftpb.Snapshot:  1 data bytes: the store in JSON
//	                  2 metadata message: members, index and term
//
// and the store is:
//
//	{"Root": NODE, "WatcherHub": {"EventHistory": {"Queue": {"Events": [EVENT...], ...}, ...}}, ...}
//	NODE   {"Path": "/1/registry/...", ..., "Value": "...", "Children": {"name": NODE, ...}}
//	EVENT  {"action": "set", "node": ITEM, "prevNode": ITEM}
//	ITEM   {"key": "/1/registry/...", "value": "...", ...}
//
// Up to 1000 events keep values that were replaced or deleted since. Every etcd from 2.0 to 3.7
// writes such a file; without v2 keys the store holds what etcd says of itself alone.
//
// A value is a string of JSON. Bytes that are no UTF-8 were lost when etcd wrote it: U+FFFD stands
// for each.
//
// Source: etcdserver/api/snap/snapshotter.go, snap/snappb, and store.go, node.go, event.go and
// node_extern.go of etcdserver/api/v2store in go.etcd.io/etcd/server/v3.
package v2store

import (
	"bytes"
	"encoding/base64"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/etcdsift/etcdsift/decode/internal/unknown"
)

// Unescape is what the contents of a JSON string stand for, in new memory of at most the same
// length. It takes any bytes: an escape that JSON does not have stands for itself, and half of a
// surrogate pair for U+FFFD.
func Unescape(s []byte) []byte {
	out := make([]byte, 0, len(s))
	for len(s) > 0 {
		i := bytes.IndexByte(s, '\\')
		if i < 0 {
			return append(out, s...)
		}
		out = append(out, s[:i]...)
		r, n := escaped(s[i:])
		if n == 0 {
			out, n = append(out, '\\'), 1
		} else {
			out = utf8.AppendRune(out, r)
		}
		s = s[i+n:]
	}
	return out
}

// escaped is the character of the escape at the start of s, and how long that is; 0 if it is none.
func escaped(s []byte) (r rune, n int) {
	if len(s) < 2 {
		return 0, 0
	}
	if s[1] != 'u' {
		const escapes, stand = `"\/bfnrt`, "\"\\/\b\f\n\r\t"
		if i := bytes.IndexByte([]byte(escapes), s[1]); i >= 0 {
			return rune(stand[i]), 2
		}
		return 0, 0
	}
	r, ok := hex4(s)
	if !ok {
		return 0, 0
	}
	if !utf16.IsSurrogate(r) {
		return r, 6
	}
	if low, ok := hex4(s[6:]); ok {
		if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
			return pair, 12
		}
	}
	return utf8.RuneError, 6
}

// hex4 reads an escape such as \u00e4.
func hex4(s []byte) (r rune, ok bool) {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return 0, false
	}
	for _, c := range s[2:6] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// base64Magic is how protobuf starts in base64.
var base64Magic = []byte(base64.StdEncoding.EncodeToString(unknown.Magic[:3]))

// Plain is the value as it was before Kubernetes made text of it: the v2 store holds text alone,
// so the API server wrote protobuf there in base64. Any other value is returned as it is. What is
// cut is decoded as far as it goes.
//
// Source: NewStorageCodec in pkg/server/storage/storage_codec.go of k8s.io/apiserver 1.9.
func Plain(value []byte) []byte {
	if !bytes.HasPrefix(value, base64Magic) {
		return value
	}
	text := bytes.TrimRight(value, "\n=")
	if len(text)%4 == 1 {
		text = text[:len(text)-1] // it is cut: no bytes end there
	}
	out := make([]byte, base64.RawStdEncoding.DecodedLen(len(text)))
	n, _ := base64.RawStdEncoding.Decode(out, text)
	if !bytes.HasPrefix(out[:n], unknown.Magic) {
		return value
	}
	return out[:n]
}

// IsLossy reports whether bytes of a value were lost when it became text: where text is not what
// was stored, U+FFFD stands for what was.
func IsLossy(value []byte) bool {
	return bytes.HasPrefix(value, []byte("k8s")) && bytes.Contains(value, []byte("\uFFFD"))
}
