package report

// Etcd is what etcd's own buckets say of the cluster. IDs are in hexadecimal, as etcdctl
// prints them.
type Etcd struct {
	ClusterVersion Text   `json:"clusterVersion,omitempty"`
	Term           uint64 `json:"term,omitempty"` // of raft; etcd keeps it in the db since 3.5
	// ScheduledCompactRev is the revision of a compaction that may not have ended.
	ScheduledCompactRev int64    `json:"scheduledCompactRevision"`
	DowngradeTarget     Text     `json:"downgradeTarget,omitempty"`
	Members             []Member `json:"members"`
	RemovedMembers      []string `json:"removedMembers"`
	AuthEnabled         bool     `json:"authEnabled"`
	AuthRevision        uint64   `json:"authRevision"`
	Users               []Text   `json:"users"`
	Roles               []Text   `json:"roles"`
	Alarms              []Alarm  `json:"alarms"`
	Leases              int      `json:"leases"`
}

// A Member is one of the etcds of a cluster.
type Member struct {
	ID         string `json:"id"`
	Name       Text   `json:"name"`
	PeerURLs   []Text `json:"peerURLs"`
	ClientURLs []Text `json:"clientURLs"`
	IsLearner  bool   `json:"isLearner"`
}

// An Alarm is one that a member has raised, such as NOSPACE.
type Alarm struct {
	Member string `json:"member"`
	Kind   string `json:"kind"`
}
