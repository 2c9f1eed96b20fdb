package mvcc

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"sort"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/etcdsift/etcdsift/decode"
	"github.com/etcdsift/etcdsift/decode/internal/wire"
)

// The buckets of etcd's backend database.
//
// Source: go.etcd.io/etcd/server/v3/storage/schema/bucket.go.
const (
	BucketKey            = "key"
	BucketMeta           = "meta"
	BucketLease          = "lease"
	BucketAlarm          = "alarm"
	BucketCluster        = "cluster"
	BucketMembers        = "members"
	BucketMembersRemoved = "members_removed"
	BucketAuth           = "auth"
	BucketAuthUsers      = "authUsers"
	BucketAuthRoles      = "authRoles"
)

// State is what etcd's buckets say of etcd itself. Its zero value is ready for Add; Sort
// sorts the lists.
type State struct {
	ConsistentIndex     uint64 // raft index of the last entry applied to this db
	Term                uint64 // raft term of that entry; etcd 3.5 and later
	FinishedCompactRev  int64
	ScheduledCompactRev int64
	StorageVersion      string // etcd 3.6 and later, such as "3.6.0"
	Voters              []MemberID
	Learners            []MemberID
	ClusterVersion      string
	DowngradeTarget     string // "" unless a downgrade is under way
	Members             []Member
	RemovedMembers      []MemberID
	AuthEnabled         bool
	AuthRevision        uint64
	Users               []string
	Roles               []string
	Alarms              []Alarm
	Leases              int
}

// A MemberID names a member of a cluster; etcd writes it in hexadecimal.
type MemberID uint64

func (id MemberID) String() string { return strconv.FormatUint(uint64(id), 16) }

// A Member is a member of the cluster as the bucket "members" has it.
type Member struct {
	ID         MemberID
	Name       string
	PeerURLs   []string
	ClientURLs []string
	IsLearner  bool
}

// An Alarm is an alarm that a member raised.
type Alarm struct {
	Member MemberID
	Kind   string // "NOSPACE", "CORRUPT", or its number
}

// Add takes the entry of one of etcd's buckets other than "key"; the value stands at file
// offset off. It passes over buckets and keys that it does not know. The error is a
// *decode.FormatError wrapping ErrTruncated or ErrValue.
//
// Source: go.etcd.io/etcd/server/v3/storage/schema.
func (s *State) Add(bucket string, key, value []byte, off int64) error {
	switch bucket {
	case BucketMeta:
		return s.addMeta(string(key), value, off)
	case BucketCluster:
		return s.addCluster(string(key), value, off)
	case BucketMembers:
		return s.addMember(key, value, off)
	case BucketMembersRemoved:
		id, err := parseMemberID(key, off)
		if err == nil {
			s.RemovedMembers = append(s.RemovedMembers, id)
		}
		return err
	case BucketAuth:
		return s.addAuth(string(key), value, off)
	case BucketAuthUsers:
		s.Users = append(s.Users, string(key))
	case BucketAuthRoles:
		s.Roles = append(s.Roles, string(key))
	case BucketAlarm:
		return s.addAlarm(key, off)
	case BucketLease:
		s.Leases++
	}
	return nil
}

// Sort puts the lists in order, so that equal databases give equal states.
func (s *State) Sort() {
	sort.Slice(s.Members, func(i, j int) bool { return s.Members[i].ID < s.Members[j].ID })
	sort.Slice(s.RemovedMembers, func(i, j int) bool { return s.RemovedMembers[i] < s.RemovedMembers[j] })
	sort.Strings(s.Users)
	sort.Strings(s.Roles)
	sort.Slice(s.Alarms, func(i, j int) bool {
		a, b := s.Alarms[i], s.Alarms[j]
		return a.Member < b.Member || a.Member == b.Member && a.Kind < b.Kind
	})
}

func (s *State) addMeta(key string, value []byte, off int64) (err error) {
	switch key {
	case "consistent_index":
		s.ConsistentIndex, err = parseUint64(key, value, off)
	case "term":
		s.Term, err = parseUint64(key, value, off)
	case "finishedCompactRev":
		s.FinishedCompactRev, err = parseMain(value, off)
	case "scheduledCompactRev":
		s.ScheduledCompactRev, err = parseMain(value, off)
	case "storageVersion":
		s.StorageVersion = string(value)
	case "confState":
		var conf struct {
			Voters   []MemberID `json:"voters"`
			Learners []MemberID `json:"learners"`
		}
		if json.Unmarshal(value, &conf) != nil {
			return stateError(key, off, decode.ErrValue)
		}
		s.Voters, s.Learners = conf.Voters, conf.Learners
	}
	return err
}

func (s *State) addCluster(key string, value []byte, off int64) error {
	switch key {
	case "clusterVersion":
		s.ClusterVersion = string(value)
	case "downgrade":
		var d struct {
			TargetVersion string `json:"target-version"`
			Enabled       bool   `json:"enabled"`
		}
		if json.Unmarshal(value, &d) != nil {
			return stateError(key, off, decode.ErrValue)
		}
		if d.Enabled {
			s.DowngradeTarget = d.TargetVersion
		}
	}
	return nil
}

func (s *State) addMember(key, value []byte, off int64) error {
	var m struct {
		Name       string   `json:"name"`
		PeerURLs   []string `json:"peerURLs"`
		ClientURLs []string `json:"clientURLs"`
		IsLearner  bool     `json:"isLearner"`
	}
	id, err := parseMemberID(key, off)
	if err != nil {
		return err
	}
	if json.Unmarshal(value, &m) != nil {
		err = stateError("member", off, decode.ErrValue)
	}
	s.Members = append(s.Members, Member{id, m.Name, m.PeerURLs, m.ClientURLs, m.IsLearner})
	return err
}

func (s *State) addAuth(key string, value []byte, off int64) (err error) {
	switch key {
	case "authEnabled":
		s.AuthEnabled = len(value) == 1 && value[0] == 1
		if !s.AuthEnabled && !(len(value) == 1 && value[0] == 0) {
			err = stateError(key, off, decode.ErrValue)
		}
	case "authRevision":
		s.AuthRevision, err = parseUint64(key, value, off)
	}
	return err
}

// addAlarm decodes the key of an alarm, an etcdserverpb.AlarmMember: 1 member ID, 2 the kind.
// It passes over other fields.
func (s *State) addAlarm(b []byte, off int64) error {
	a := Alarm{Kind: alarmKind(0)} // protobuf does not write a zero
	err := wire.Each(b, func(f wire.Field) error {
		switch {
		case f.Is(1, protowire.VarintType):
			a.Member = MemberID(f.Varint)
		case f.Is(2, protowire.VarintType):
			a.Kind = alarmKind(int32(f.Varint))
		}
		return nil
	})
	if err != nil {
		return stateError("alarm", off, decode.ErrValue)
	}
	s.Alarms = append(s.Alarms, a)
	return nil
}

func alarmKind(v int32) string {
	switch v {
	case 1:
		return "NOSPACE"
	case 2:
		return "CORRUPT"
	}
	return strconv.Itoa(int(v))
}

func parseUint64(what string, b []byte, off int64) (uint64, error) {
	switch {
	case len(b) < 8:
		return 0, stateError(what, off, decode.ErrTruncated)
	case len(b) > 8:
		return 0, stateError(what, off, decode.ErrValue)
	}
	return binary.BigEndian.Uint64(b), nil
}

func parseMain(b []byte, off int64) (int64, error) {
	rev, _, err := ParseRevision(b, off)
	return rev.Main, err
}

func parseMemberID(b []byte, off int64) (MemberID, error) {
	id, err := strconv.ParseUint(string(b), 16, 64)
	if err != nil {
		return 0, stateError("member ID", off, decode.ErrValue)
	}
	return MemberID(id), nil
}

func stateError(what string, off int64, cause error) error {
	return &decode.FormatError{Off: off, What: fmt.Sprintf("etcd's %s", what), Err: cause}
}
