// Command etcdsift examines etcd data offline and tells which Kubernetes Secrets anybody can
// read in it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/reports"
)

// A statusError ends the program with a status. It has no errs if the report says it all.
type statusError struct {
	status int
	errs   []error
}

func (e *statusError) Error() string {
	return fmt.Sprintf("exit status %d: %v", e.status, errors.Join(e.errs...))
}

// patience is how long a run may take to come to its end after a signal. A dying disk may block
// a read.
const patience = 700 * time.Millisecond

func main() {
	limitMemory()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	code := make(chan int, 1)
	go func() { code <- run(ctx, os.Args[1:], os.Stdout, os.Stderr) }()
	select {
	case c := <-code:
		os.Exit(c)
	case <-ctx.Done():
	}
	select {
	case c := <-code:
		os.Exit(c)
	case <-time.After(patience):
		complain(os.Stderr, errInterrupted.Error())
		os.Exit(report.ExitUsage)
	}
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
	var s *statusError
	if !errors.As(err, &s) {
		for _, message := range messages(err) {
			complain(stderr, message)
		}
		return report.ExitUsage
	}
	for _, e := range s.errs {
		complain(stderr, e.Error())
	}
	return s.status
}

// messages splits an error into lines, but only at newlines that cannot be part of an argument.
func messages(err error) []string {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []string
		for _, e := range joined.Unwrap() {
			all = append(all, messages(e)...)
		}
		return all
	}
	text := err.Error()
	if !strings.HasPrefix(text, "unknown command ") { // cobra quotes it, and suggests others on lines of their own
		return []string{text}
	}
	var all []string
	for line := range strings.Lines(text) {
		all = append(all, strings.TrimSpace(line))
	}
	return all
}

// complain prints a message. It may hold the name of a file, and so anything.
func complain(stderr io.Writer, message string) {
	if message != "" {
		fmt.Fprintf(stderr, "etcdsift: %s\n", reports.Visible(message))
	}
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "etcdsift",
		Short: "Which Kubernetes Secrets can be read from this etcd backup?",
		Long: `etcdsift examines etcd data offline and read-only: a snapshot (etcdctl snapshot
save), a bare db file or a whole data dir. It decodes every Kubernetes value,
tells whether it is plaintext or encrypted and with which key, and names the
Secrets that anybody who holds this evidence can read.`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       version,
	}
	root.AddCommand(newScan(), newList(), newHistory(), newKeys(), newShow(), newInfo(), newVersion(), newWitnessChild())
	refuseTwo(root)
	return root
}

// exitHelp is what the commands say of their exit status.
const exitHelp = `
Exit status:
  0  everything asked for was read, and nothing reached --fail-on
  1  findings at or above --fail-on (scan), or the key may not be dropped (keys --retire)
  2  wrong usage or configuration, or the report could not be written
  3  a PATH is no evidence, or nothing in scope was found (--allow-empty: 0)
  4  incomplete: damage, no permission or an I/O error left something unread
  5  the evidence changed while it was read
5 goes before 4, 4 before 3, 3 before 1.`
