package report

// A Value is the newest value of a key that is live, or may be. Size is that of the stored
// value in bytes. The revisions and the version are 0 if nothing tells.
type Value struct {
	Path           Text     `json:"path,omitempty"` // set if a run has several pieces of evidence
	Key            Text     `json:"key"`
	State          State    `json:"state,omitempty"` // StateUnknown outside of a tree; else empty
	Resource       Text     `json:"resource"`
	Namespace      Text     `json:"namespace"`
	Name           Text     `json:"name"`
	LogicalCluster Text     `json:"logicalCluster,omitempty"` // of kcp, such as "root"
	Provider       Provider `json:"provider"`
	KeyName        Text     `json:"keyName"`
	KMSKeyID       Text     `json:"kmsKeyID,omitempty"`
	Encoding       Encoding `json:"encoding"`
	Proof          Proof    `json:"proof,omitempty"`  // of an encrypted value, with a configuration
	Policy         Policy   `json:"policy,omitempty"` // what the configuration says of the value: "current", or the rule that it breaks
	Size           int      `json:"size"`
	CreateRevision int64    `json:"createRevision,omitempty"`
	ModRevision    int64    `json:"modRevision,omitempty"`
	Version        int64    `json:"version,omitempty"`
}
