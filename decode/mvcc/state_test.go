package mvcc

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/etcdsift/etcdsift/decode"
)

// A stateCase is an entry of one of etcd's buckets.
type stateCase struct {
	name               string
	bucket, key, value string
	want               State
	err                error
}

func stateCases() []stateCase {
	const rev = "\x00\x00\x00\x00\x00\x00\x00\x07_\x00\x00\x00\x00\x00\x00\x00\x00"
	return []stateCase{
		{"other bucket", "kubernetes", "consistent_index", "x", State{}, nil},
		{"other key", BucketMeta, "confStates", "x", State{}, nil},
		{"record", BucketKey, rev, "x", State{}, nil},
		{"consistent index", BucketMeta, "consistent_index", "\x00\x00\x00\x00\x00\x00\x01\x02", State{ConsistentIndex: 258}, nil},
		{"consistent index cut short", BucketMeta, "consistent_index", "\x00\x01", State{}, decode.ErrTruncated},
		{"consistent index too long", BucketMeta, "consistent_index", "123456789", State{}, decode.ErrValue},
		{"term", BucketMeta, "term", "\x00\x00\x00\x00\x00\x00\x00\x03", State{Term: 3}, nil},
		{"empty term", BucketMeta, "term", "", State{}, decode.ErrTruncated},
		{"scheduled compaction", BucketMeta, "scheduledCompactRev", rev, State{ScheduledCompactRev: 7}, nil},
		{"finished compaction", BucketMeta, "finishedCompactRev", rev, State{FinishedCompactRev: 7}, nil},
		{"compaction cut short", BucketMeta, "finishedCompactRev", rev[:9], State{}, decode.ErrTruncated},
		{"compaction without separator", BucketMeta, "scheduledCompactRev", rev[:8] + rev[9:] + "x", State{ScheduledCompactRev: 7}, decode.ErrValue},
		{"storage version", BucketMeta, "storageVersion", "3.6.0", State{StorageVersion: "3.6.0"}, nil},
		{"voters", BucketMeta, "confState", `{"voters":[18446744073709551615,2],"learners":[3],"auto_leave":false}`,
			State{Voters: []MemberID{1<<64 - 1, 2}, Learners: []MemberID{3}}, nil},
		{"negative voter", BucketMeta, "confState", `{"voters":[-1]}`, State{}, decode.ErrValue},
		{"confState cut short", BucketMeta, "confState", `{"voters":[1`, State{}, decode.ErrValue},
		{"cluster version", BucketCluster, "clusterVersion", "3.7.0", State{ClusterVersion: "3.7.0"}, nil},
		{"downgrade", BucketCluster, "downgrade", `{"target-version":"3.6.0","enabled":true}`, State{DowngradeTarget: "3.6.0"}, nil},
		{"no downgrade", BucketCluster, "downgrade", `{"target-version":"","enabled":false}`, State{}, nil},
		{"downgrade cancelled", BucketCluster, "downgrade", `{"target-version":"3.6.0","enabled":false}`, State{}, nil},
		{"downgrade is no JSON", BucketCluster, "downgrade", "\x00", State{}, decode.ErrValue},
		{"member", BucketMembers, "8e9e05c52164694d", `{"id":1,"peerURLs":["http://p:2380"],"name":"n","clientURLs":["http://c:2379"],"isLearner":true}`,
			State{Members: []Member{{0x8e9e05c52164694d, "n", []string{"http://p:2380"}, []string{"http://c:2379"}, true}}}, nil},
		{"member ID", BucketMembers, "xyz", `{}`, State{}, decode.ErrValue},
		{"member is no JSON", BucketMembers, "1", `[`, State{Members: []Member{{ID: 1}}}, decode.ErrValue},
		{"removed member", BucketMembersRemoved, "ff", "removed", State{RemovedMembers: []MemberID{255}}, nil},
		{"removed member ID", BucketMembersRemoved, "", "removed", State{}, decode.ErrValue},
		{"member ID of 65 bits", BucketMembersRemoved, "10000000000000000", "removed", State{}, decode.ErrValue},
		{"auth enabled", BucketAuth, "authEnabled", "\x01", State{AuthEnabled: true}, nil},
		{"auth disabled", BucketAuth, "authEnabled", "\x00", State{}, nil},
		{"auth neither", BucketAuth, "authEnabled", "\x02", State{}, decode.ErrValue},
		{"auth empty", BucketAuth, "authEnabled", "", State{}, decode.ErrValue},
		{"auth revision", BucketAuth, "authRevision", "\x00\x00\x00\x00\x00\x00\x00\x05", State{AuthRevision: 5}, nil},
		{"auth revision cut short", BucketAuth, "authRevision", "\x05", State{}, decode.ErrTruncated},
		{"user", BucketAuthUsers, "root", "\xff", State{Users: []string{"root"}}, nil},
		{"role", BucketAuthRoles, "admin", "\xff", State{Roles: []string{"admin"}}, nil},
		{"alarm for space", BucketAlarm, "\x08\x0a\x10\x01", "", State{Alarms: []Alarm{{10, "NOSPACE"}}}, nil},
		{"alarm for corruption", BucketAlarm, "\x08\x0a\x10\x02", "", State{Alarms: []Alarm{{10, "CORRUPT"}}}, nil},
		{"alarm of a later etcd", BucketAlarm, "\x10\x09\x1a\x01x", "", State{Alarms: []Alarm{{0, "9"}}}, nil},
		{"alarm cut short", BucketAlarm, "\x08\x80", "", State{}, decode.ErrValue},
		{"alarm without a value", BucketAlarm, "\x08", "", State{}, decode.ErrValue},
		{"alarm with field 0", BucketAlarm, "\x00\x00", "", State{}, decode.ErrValue},
		{"lease", BucketLease, "12345678", "\xff", State{Leases: 1}, nil},
	}
}

func TestStateAdd(t *testing.T) {
	for _, c := range stateCases() {
		var s State
		err := s.Add(c.bucket, []byte(c.key), []byte(c.value), 0x99)
		if !errors.Is(err, c.err) || (err == nil) != (c.err == nil) {
			t.Errorf("%s: error %v, want %v", c.name, err, c.err)
		}
		var format *decode.FormatError
		if errors.As(err, &format) && format.Off != 0x99 {
			t.Errorf("%s: error at offset %#x", c.name, format.Off)
		}
		if diff := cmp.Diff(c.want, s); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

func TestStateSort(t *testing.T) {
	s := State{
		Members:        []Member{{ID: 9}, {ID: 2}},
		RemovedMembers: []MemberID{7, 1, 3},
		Users:          []string{"b", "a"},
		Roles:          []string{"z", "y"},
		Alarms:         []Alarm{{2, "CORRUPT"}, {1, "NOSPACE"}, {1, "CORRUPT"}},
	}
	s.Sort()
	want := State{
		Members:        []Member{{ID: 2}, {ID: 9}},
		RemovedMembers: []MemberID{1, 3, 7},
		Users:          []string{"a", "b"},
		Roles:          []string{"y", "z"},
		Alarms:         []Alarm{{1, "CORRUPT"}, {1, "NOSPACE"}, {2, "CORRUPT"}},
	}
	if diff := cmp.Diff(want, s); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestMemberID(t *testing.T) {
	if got := MemberID(0x8e9e05c52164694d).String(); got != "8e9e05c52164694d" {
		t.Errorf("String: %q", got)
	}
}
