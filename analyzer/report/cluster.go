package report

// A ClusterID is a Cluster of an answer, from 1; 0 is none. It means nothing in another answer.
type ClusterID int

// A Cluster is one API server's world: an etcd cluster, and a prefix of keys in it. Two clusters
// have objects of the same name that have nothing to do with each other. They are in the order
// of their files, then of their prefixes.
type Cluster struct {
	ID ClusterID `json:"id"`
	// Prefix is that of the API server's keys, such as "/registry"; "" if no key looks like
	// Kubernetes', or for objects that lie outside of each prefix.
	Prefix Text `json:"prefix"`
	// Members are the IDs of the etcd's members, in hexadecimal, as far as the evidence tells.
	Members  []string       `json:"members"`
	Evidence []Text         `json:"evidence"` // the files
	Verdict  ClusterVerdict `json:"verdict"`
	Counts   Counts         `json:"counts"`
	Scope    []ScopeCount   `json:"scope"`
}

// A ClusterVerdict is the part of a Verdict that is about one cluster.
type ClusterVerdict struct {
	Status  Status   `json:"status"`
	Reasons []Reason `json:"reasons"`
}
