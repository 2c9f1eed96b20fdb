// Command etcdsift examines etcd data offline and tells which Kubernetes Secrets
// can be read from it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// Exit statuses that no report leads to. The others come from the report.
const (
	exitUsage       = 2
	exitNotEvidence = 3
)

// A statusError ends the program with a status. Its err may be nil: the report
// has said it all.
type statusError struct {
	status int
	err    error
}

func (e *statusError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit status %d", e.status)
	}
	return e.err.Error()
}

func (e *statusError) Unwrap() error { return e.err }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is the program: it returns the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	status := exitUsage
	var s *statusError
	if errors.As(err, &s) {
		if status = s.status; s.err == nil {
			return status
		}
	}
	fmt.Fprintf(stderr, "etcdsift: %v\n", err)
	return status
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "etcdsift",
		Short: "Which Kubernetes Secrets can be read from this etcd backup?",
		Long: `etcdsift examines etcd data offline and read-only: a snapshot (etcdctl snapshot
save), a bare db file or a whole data dir. It decodes every Kubernetes value,
tells whether it is plaintext or encrypted and with which key, and names the
Secrets that anybody who holds this evidence can read.`,
		SilenceUsage:      true,
		SilenceErrors:     true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: false},
	}
	root.AddCommand(newScan(), newList(), newInfo(), newVersion())
	return root
}

// exitHelp is what scan, list and info say of their exit status.
const exitHelp = `
Exit status:
  0  every byte was read, and nothing reached --fail-on
  1  findings at or above --fail-on (scan only)
  2  wrong usage, or the report could not be written
  3  nothing that is evidence was found at PATH
  4  incomplete: damage or an I/O error left something unread
  5  the evidence changed while it was read`
