package analyzer_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/etcdsift/etcdsift/analyzer"
	"github.com/etcdsift/etcdsift/analyzer/evidence"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/fixtures/captured"
)

// Which Secrets can be read from a snapshot, and where are their plaintext copies? This one was
// taken after all of them had been encrypted.
func Example() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	const name = "02-rewritten/snapshot.db"
	if err := captured.Extract(dir, func(n string) bool { return n == name }); err != nil {
		panic(err)
	}

	file, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		panic(err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		panic(err)
	}
	source := evidence.Source{Path: "snapshot.db", File: file, Size: info.Size()}
	reading, err := analyzer.Read(context.Background(), []evidence.Source{source}, analyzer.Interest{})
	if err != nil {
		panic(err)
	}
	r, err := reading.Scan(context.Background(), analyzer.ScanOptions{FailOn: report.SeverityHigh})
	if err != nil {
		panic(err)
	}

	fmt.Println("verdict:", r.Verdict.Status, "exit status:", r.Verdict.ExitStatus)
	fmt.Println(len(r.Exposures), "Secrets are exposed, such as:")
	x := r.Exposures[0]
	fmt.Println(x.Namespace, x.Name, x.Type, x.DataKeys)
	for _, c := range x.Copies {
		fmt.Printf("%d bytes at offset %#x of %s, %s\n", c.Length, c.Offset, c.Path, c.Region)
	}
	// Output:
	// verdict: exposed exit status: 1
	// 60 Secrets are exposed, such as:
	// default s-plain-0 helm.sh/release.v1 [release]
	// 8641 bytes at offset 0x44071 of snapshot.db, history
}
