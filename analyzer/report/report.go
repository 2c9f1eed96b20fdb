package report

// SchemaVersion is the version of the JSON form of a Report. Its minor part goes up with a new
// field, its major part when a field changes or goes.
const SchemaVersion = "1.0"

// Examined is what every answer says of the evidence that it comes from. Lists in answers are
// never nil and in a stable order; equal evidence gives equal answers.
type Examined struct {
	SchemaVersion string     `json:"schemaVersion"`
	Tool          Tool       `json:"tool"`
	Run           Run        `json:"run"`
	Verdict       Verdict    `json:"verdict"`
	Clusters      []Cluster  `json:"clusters"`
	Evidence      []Evidence `json:"evidence"`
	Coverage      Coverage   `json:"coverage"`
}

// A Report is the answer of `scan`: which objects anybody can read in the evidence, and what
// else is wrong. It holds no byte of a Secret's value.
type Report struct {
	Examined
	Inventory  []ResourceCount  `json:"inventory"`
	Namespaces []NamespaceCount `json:"namespaces"`
	Exposures  []Exposure       `json:"exposures"`
	Findings   []Finding        `json:"findings"`
	// Scope is what the verdict is about, as the user named it, with how many keys of each
	// resource there are.
	Scope []ScopeCount `json:"scope"`
}

// Tool says which program made the report.
type Tool struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Commit  string `json:"commit,omitempty"` // of the source, where the build knows it
}

// ScopeCount is a resource that the verdict is about.
type ScopeCount struct {
	Resource Text `json:"resource"`
	Keys     int  `json:"keys"` // the sum of Counts
	Counts
	// Configured says that the user did not name it: the configuration encrypts it.
	Configured bool `json:"configured,omitempty"`
}

// ResourceCount is the live keys of one resource, by the provider of their newest
// value. Resource is empty for keys that are not Kubernetes'.
type ResourceCount struct {
	Cluster   ClusterID        `json:"cluster,omitempty"`
	Resource  Text             `json:"resource"`
	Keys      int              `json:"keys"`
	Providers map[Provider]int `json:"providers"`
}

// NamespaceCount is the keys in scope of one namespace by status. Namespace is
// empty for cluster-scoped objects.
type NamespaceCount struct {
	Cluster   ClusterID `json:"cluster"`
	Namespace Text      `json:"namespace"`
	// LogicalCluster is that of kcp, such as "root": another may have a namespace of that name.
	LogicalCluster Text `json:"logicalCluster,omitempty"`
	Counts
}

// Counts are objects in scope by status. Nobody counts twice.
type Counts struct {
	Plaintext int `json:"plaintext"`
	Exposed   int `json:"exposed"`
	Encrypted int `json:"encrypted"`
	Broken    int `json:"broken"`
}

// Add counts an object.
func (c *Counts) Add(s Status) {
	switch s {
	case StatusPlaintext:
		c.Plaintext++
	case StatusExposed:
		c.Exposed++
	case StatusBroken:
		c.Broken++
	default:
		c.Encrypted++
	}
}

// InPlaintext is how many objects have a plaintext copy.
func (c *Counts) InPlaintext() int { return c.Plaintext + c.Exposed }
