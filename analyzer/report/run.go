package report

// A Run is what was asked. Lists are never nil.
type Run struct {
	Tool  Tool   `json:"tool"`
	Paths []Text `json:"paths"` // as the user gave them
	// Scope is the resources that the verdict is about, as the user named them; what the
	// configurations encrypt is in scope, too, if the user named none.
	Scope    []Text   `json:"scope"`
	Prefixes []Text   `json:"prefixes"` // of keys; empty means those that are found
	NoWAL    bool     `json:"noWAL"`    // the WAL was left out
	FailOn   Severity `json:"failOn"`
	// Configurations are the EncryptionConfigurations that the evidence was held against.
	Configurations []Configuration `json:"configurations"`
}

// A Configuration is an EncryptionConfiguration. SHA256, in hexadecimal, is of its form in JSON
// as the API server's own types have it, with every key's secret empty: it tells configurations
// apart, and nothing of a key.
type Configuration struct {
	Path   Text   `json:"path"`
	SHA256 string `json:"sha256"`
}
