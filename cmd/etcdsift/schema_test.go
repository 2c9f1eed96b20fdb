package main

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/etcdsift/etcdsift/fixtures/captured"
	"github.com/etcdsift/etcdsift/reports"
)

// What each command prints as JSON of real evidence, held against a configuration, is what
// the schema says.
func TestSchemaOfCommands(t *testing.T) {
	dir := t.TempDir()
	if err := captured.Extract(dir, func(name string) bool {
		return strings.HasPrefix(name, "02-") || strings.HasPrefix(name, "09-") || strings.HasPrefix(name, "11-") || strings.HasPrefix(name, "encryption-")
	}); err != nil {
		t.Fatal(err)
	}
	const key = "/registry/secrets/payments/s-plain-10"
	for _, stage := range []struct{ dir, config string }{{"02-rewritten", "aescbc"}, {"09-kmsv2b", "kmsv2"}, {"11-decrypted", "decrypted"}} {
		config := "--encryption-config=" + filepath.Join(dir, "encryption-"+stage.config+".yaml")
		for _, evidence := range []string{"snapshot.db", "data-dir"} {
			path := filepath.Join(dir, stage.dir, evidence)
			holdAgainstSchema(t, "", "scan", "--format=json", config, path)
			holdAgainstSchema(t, "#/$defs/keys", "keys", "--format=json", "--retire=aescbc:key1", config, path)
			holdAgainstSchema(t, "#/$defs/history", "history", "--format=json", config, path, key)
			holdAgainstSchema(t, "#/$defs/value", "list", "--format=jsonl", config, path)
		}
	}
}

// holdAgainstSchema runs a command, and compares what it prints with a part of the schema:
// as one document, or for jsonl line by line.
func holdAgainstSchema(t *testing.T, def string, args ...string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if status := run(context.Background(), args, &stdout, &stderr); status > 1 {
		t.Fatalf("%v: exit status %d: %s", args, status, stderr.String())
	}
	docs := [][]byte{stdout.Bytes()}
	if strings.HasSuffix(args[1], "jsonl") {
		docs = bytes.Split(bytes.TrimSpace(stdout.Bytes()), []byte("\n"))
	}
	for _, b := range docs {
		checkSchema(t, def, b)
	}
}

// checkSchema holds a document against the part of the published schema that def names,
// or against that of a report.
func checkSchema(t *testing.T, def string, doc []byte) {
	t.Helper()
	published, err := jsonschema.UnmarshalJSON(bytes.NewReader(reports.Schema))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("schema.json", published); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("schema.json" + def)
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(doc))
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(v); err != nil {
		t.Error(err)
	}
}
