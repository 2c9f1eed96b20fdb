package reports

import _ "embed"

// Schema is the JSON Schema of what JSON writes. Its $defs hold those of InfoJSON
// ("info") and of a line of `list --format jsonl` ("value").
//
//go:embed schema.json
var Schema []byte
