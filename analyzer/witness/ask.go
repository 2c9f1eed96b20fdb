package witness

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"github.com/etcdsift/etcdsift/decode/page"
)

// A testimony is what the child said.
type testimony struct {
	tally    *tally
	read     bool // all buckets were read
	problems []string
	failure  string // what kept the child from an answer; empty if nothing did
}

// maxProblems bounds the problems to take: there may be no end of them.
const maxProblems = 100

// maxBuckets bounds the buckets that the child may name: no file within the limits of
// decode/page has more.
const maxBuckets = 1 << 17

// maxLine bounds a line of the child, and maxLastWords what it says while it dies.
const (
	maxLine      = 64 << 10
	maxLastWords = 16 << 10
)

// ask has the child read the copy. The error is that of the context.
func (w *Witness) ask(ctx context.Context, c *replica, r request, l limits, pages page.ID) (testimony, error) {
	said := testimony{tally: newTally(r.Key), problems: []string{}}
	said.tally.buckets = map[digest]*bucketTally{}
	done := false
	failure, err := w.run(ctx, c, r, l, func(a answer) error {
		switch {
		case a.Bucket != nil:
			if len(said.tally.buckets) >= maxBuckets || len(a.Bucket.Path) != len(digest{}) {
				return errAnswer
			}
			said.tally.buckets[digest(a.Bucket.Path)] = &bucketTally{a.Bucket.Name, a.Bucket.Records, a.Bucket.Sum}
		case a.Problem != "":
			said.problem(problem(a.Problem, pages))
		case a.Error != "":
			said.failure = a.Error
		case a.Read:
			said.read = true
		case a.Done:
			done = true
		}
		return nil
	})
	if err != nil {
		return said, err
	}
	if failure != nil {
		said.failure = failure.what
		if failure.problem != "" {
			said.problem(problem(failure.problem, pages))
		}
	}
	if !done && said.failure == "" {
		said.failure = "it ended without an answer"
	}
	return said, nil
}

func (t *testimony) problem(text string) {
	if len(t.problems) < maxProblems {
		t.problems = append(t.problems, text)
	}
}

var errAnswer = errors.New("it said what it never should")

// run starts the child on the copy and calls take with each of its answers; an error from take
// ends it. The failure is how the child died, or nil; the error is that of the context.
func (w *Witness) run(ctx context.Context, c *replica, r request, l limits, take func(answer) error) (*failure, error) {
	r.Memory = l.memory
	timed, cancel := context.WithTimeout(ctx, l.time)
	defer cancel()
	cmd := exec.CommandContext(timed, w.exe)
	cmd.Args = w.args
	// Without a trace: its arguments may be bytes of the file.
	cmd.Env = append(os.Environ(), "GOTRACEBACK=none")
	cmd.WaitDelay = time.Second
	var lastWords limitedBuffer
	cmd.Stderr = &lastWords
	lend(cmd, c, &r)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return &failure{what: err.Error()}, ctx.Err()
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return &failure{what: err.Error()}, ctx.Err()
	}
	if err := cmd.Start(); err != nil {
		return &failure{what: fmt.Sprintf("it could not be started: %v", cause(err))}, ctx.Err()
	}
	err = json.NewEncoder(stdin).Encode(r) // a child that is dead already shows in its answers
	if err == nil {
		err = listen(stdout, take)
	}
	if errors.Is(err, errAnswer) {
		cancel()
	}
	_, _ = io.Copy(io.Discard, stdout)
	waitErr := cmd.Wait()
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.Is(timed.Err(), context.DeadlineExceeded):
		return &failure{what: fmt.Sprintf("it took longer than the %v that it was given", l.time)}, nil
	case errors.Is(err, errAnswer):
		return &failure{what: err.Error()}, nil
	case waitErr != nil:
		f := explain(waitErr, lastWords.b, l)
		return &f, nil
	case err != nil:
		return &failure{what: "its answer could not be read"}, nil
	}
	return nil, nil
}

// listen takes answers line by line until there are no more.
func listen(r io.Reader, take func(answer) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		var a answer
		if err := json.Unmarshal(lines.Bytes(), &a); err != nil {
			return err // most likely a crash cut it
		}
		if err := take(a); err != nil {
			return err
		}
	}
	return lines.Err()
}

// A limitedBuffer keeps the first bytes that are written to it.
type limitedBuffer struct{ b []byte }

func (l *limitedBuffer) Write(b []byte) (int, error) {
	l.b = append(l.b, b[:min(len(b), maxLastWords-len(l.b))]...)
	return len(b), nil
}

// contains is for the words of a runtime that dies.
func contains(b []byte, words ...string) bool {
	for _, word := range words {
		if bytes.Contains(b, []byte(word)) {
			return true
		}
	}
	return false
}
