package mvcc

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"unicode"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/etcdsift/etcdsift/decode/internal/wire"
)

// StateBuckets are etcd's buckets other than "key".
var StateBuckets = []string{
	BucketMeta, BucketLease, BucketAlarm, BucketCluster, BucketMembers, BucketMembersRemoved,
	BucketAuth, BucketAuthUsers, BucketAuthRoles,
}

// IsState reports whether key and value are an entry of any of StateBuckets: see IsStateOf.
func IsState(key, value []byte) bool {
	return slices.ContainsFunc(StateBuckets, func(bucket string) bool { return IsStateOf(bucket, key, value) })
}

// IsStateOf reports whether all of key and value is what etcd writes into that bucket, so that
// nothing else can stand there: fixed keys, numbers of the right size, messages and JSON with
// no other fields than etcd's, and names that are short and printable. It is false for the
// bucket "key" and for buckets that etcd does not have.
//
//	bucket            key                     value
//	meta              see State.Add           8 bytes, a revision, a version, or raftpb.ConfState in JSON
//	cluster           see State.Add           a version, or DowngradeInfo in JSON
//	members           ID, in hexadecimal      membership.Member in JSON
//	members_removed   ID, in hexadecimal      "removed"
//	auth              see State.Add           1 byte, or 8
//	authUsers         name                    authpb.User
//	authRoles         name                    authpb.Role
//	lease             ID, 8 bytes             leasepb.Lease
//	alarm             AlarmMember             empty
//
// Source: go.etcd.io/etcd/server/v3/storage/schema.
func IsStateOf(bucket string, key, value []byte) bool {
	switch bucket {
	case BucketMeta:
		return isMeta(string(key), value)
	case BucketCluster:
		return isCluster(string(key), value)
	case BucketMembers:
		return isMemberID(key) && isMember(value)
	case BucketMembersRemoved:
		return isMemberID(key) && string(value) == "removed"
	case BucketAuth:
		return string(key) == "authRevision" && len(value) == 8 ||
			string(key) == "authEnabled" && len(value) == 1 && value[0] <= 1
	case BucketAuthUsers:
		return isName(key) && isUser(key, value)
	case BucketAuthRoles:
		return isName(key) && isRole(key, value)
	case BucketLease:
		return isLease(key, value)
	case BucketAlarm:
		return len(value) == 0 && isNumbers(key, 2)
	}
	return false
}

func isMeta(key string, value []byte) bool {
	switch key {
	case "consistent_index", "term":
		return len(value) == 8
	case "finishedCompactRev", "scheduledCompactRev":
		_, tombstone, err := ParseRevision(value, 0)
		return err == nil && !tombstone
	case "storageVersion":
		return isVersion(value)
	case "confState":
		var conf struct {
			Voters         []uint64 `json:"voters"`
			Learners       []uint64 `json:"learners"`
			VotersOutgoing []uint64 `json:"voters_outgoing"`
			LearnersNext   []uint64 `json:"learners_next"`
			AutoLeave      *bool    `json:"auto_leave"`
		}
		return isJSONOf(value, &conf)
	}
	return false
}

func isCluster(key string, value []byte) bool {
	switch key {
	case "clusterVersion":
		return isVersion(value)
	case "downgrade":
		var d struct {
			Target  string `json:"target-version"`
			Enabled bool   `json:"enabled"`
		}
		return isJSONOf(value, &d) && (d.Target == "" || isVersion([]byte(d.Target)))
	}
	return false
}

// isVersion tells what semver prints of a release: three numbers with dots between them, and
// maybe a short mark behind them, as in "3.7.0-alpha.0".
func isVersion(b []byte) bool {
	const longest = 24 // bytes
	if len(b) > longest {
		return false
	}
	core, _, _ := bytes.Cut(b, []byte("-"))
	parts := bytes.Split(core, []byte("."))
	return len(parts) == 3 && isName(b) && !slices.ContainsFunc(parts, func(part []byte) bool {
		_, err := strconv.ParseUint(string(part), 10, 32)
		return err != nil
	})
}

func isMember(value []byte) bool {
	var m struct {
		ID         uint64   `json:"id"`
		PeerURLs   []string `json:"peerURLs"`
		IsLearner  bool     `json:"isLearner"`
		Name       string   `json:"name"`
		ClientURLs []string `json:"clientURLs"`
	}
	if !isJSONOf(value, &m) || m.Name != "" && !isName([]byte(m.Name)) {
		return false
	}
	return !slices.ContainsFunc(append(m.PeerURLs, m.ClientURLs...), func(s string) bool { return !isURL(s) })
}

// isURL tells what etcd takes for the address of a member.
func isURL(s string) bool {
	if !isName([]byte(s)) {
		return false
	}
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return false
	}
	return slices.Contains([]string{"http", "https", "unix", "unixs"}, u.Scheme)
}

// isMemberID tells the number of a member: up to 16 hexadecimal digits.
func isMemberID(key []byte) bool {
	_, err := strconv.ParseUint(string(key), 16, 64)
	return err == nil && len(key) <= 16
}

// isUser tells an authpb.User of that name: 1 name, 2 the hash of the password, 3 roles, 4
// options, which have a flag.
func isUser(name, value []byte) bool {
	named := false
	err := wire.Each(value, func(f wire.Field) error {
		switch {
		case f.Is(1, protowire.BytesType) && !named && bytes.Equal(f.Bytes, name):
			named = true
		case f.Is(2, protowire.BytesType) && isBcrypt(f.Bytes),
			f.Is(3, protowire.BytesType) && isName(f.Bytes),
			f.Is(4, protowire.BytesType) && isNumbers(f.Bytes, 1):
		default:
			return errForm
		}
		return nil
	})
	return err == nil && named
}

// isBcrypt tells the hash of a password, or none: "$2a$10$" or the like, and 53 letters, digits,
// dots and slashes.
func isBcrypt(b []byte) bool {
	const size, start = 60, 7
	if len(b) == 0 {
		return true
	}
	return len(b) == size && b[0] == '$' && b[1] == '2' && b[3] == '$' && b[6] == '$' &&
		!bytes.ContainsFunc(b[start:], func(r rune) bool {
			return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '.' || r > '9')
		})
}

// isRole tells an authpb.Role of that name: 1 name, 2 permissions, each of them 1 its kind, 2
// the first key and 3 the end of its keys.
func isRole(name, value []byte) bool {
	named := false
	err := wire.Each(value, func(f wire.Field) error {
		switch {
		case f.Is(1, protowire.BytesType) && !named && bytes.Equal(f.Bytes, name):
			named = true
			return nil
		case f.Is(2, protowire.BytesType):
			return wire.Each(f.Bytes, func(f wire.Field) error {
				if f.Is(1, protowire.VarintType) || (f.Is(2, protowire.BytesType) || f.Is(3, protowire.BytesType)) &&
					(len(f.Bytes) <= 1 || isName(bytes.TrimRight(f.Bytes, "\x00"))) {
					return nil
				}
				return errForm
			})
		}
		return errForm
	})
	return err == nil && named
}

// isLease tells a leasepb.Lease: 1 its ID, which is the key, 2 and 3 seconds.
func isLease(key, value []byte) bool {
	if len(key) != 8 || !isNumbers(value, 3) {
		return false
	}
	id := uint64(0) // protobuf does not write a zero
	_ = wire.Each(value, func(f wire.Field) error {
		if f.Num == 1 {
			id = f.Varint
		}
		return nil
	})
	return id == binary.BigEndian.Uint64(key)
}

// isNumbers tells a message that has numbers alone, in fields from 1 to last, each once and in
// order.
func isNumbers(message []byte, last protowire.Number) bool {
	before := protowire.Number(0)
	return wire.Each(message, func(f wire.Field) error {
		if f.Type != protowire.VarintType || f.Num <= before || f.Num > last {
			return errForm
		}
		before = f.Num
		return nil
	}) == nil
}

// errForm ends a message at a field that etcd does not write. It goes nowhere else.
var errForm = errors.New("not etcd's")

// maxName bounds what is taken for a name, in bytes.
const maxName = 256

// isName tells a name: not empty, short, and printable without a space.
func isName(b []byte) bool {
	return len(b) > 0 && len(b) <= maxName && utf8.Valid(b) &&
		!bytes.ContainsFunc(b, func(r rune) bool { return r == ' ' || !unicode.IsPrint(r) })
}

// isJSONOf reports whether value is the JSON of a struct without spaces and without other
// fields, and decodes it. A field that comes twice shows, because then the value is longer than
// all fields together.
func isJSONOf(value []byte, to any) bool {
	d := json.NewDecoder(bytes.NewReader(value))
	d.DisallowUnknownFields()
	if d.Decode(to) != nil || d.InputOffset() != int64(len(value)) {
		return false
	}
	all, err := json.Marshal(to) // with the fields that etcd leaves out where they are empty
	return err == nil && len(value) <= len(all)
}
