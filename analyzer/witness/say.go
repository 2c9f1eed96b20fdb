package witness

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"

	"github.com/etcdsift/etcdsift/decode/page"
)

// What bbolt says of a damaged file may hold bytes of it: a key in hexadecimal, or eight
// bytes of a value that it took for a page ID. None of that gets into a report.

// A failure is how the child died.
type failure struct {
	what    string
	problem string // of the file, in bbolt's words
}

// listing is how bbolt panics if it looks for free pages and meets a problem.
const listing = "freepages: failed to get all reachable pages ("

// explain tells why the child failed, from how it ended and what it said last.
func explain(err error, lastWords []byte, l limits) failure {
	switch {
	case contains(lastWords, "out of memory", "cannot allocate memory"):
		return failure{what: fmt.Sprintf("it needed more memory than the %d MiB that it was given", l.memory>>20)}
	case contains(lastWords, "stack exceeds", "stack overflow"):
		return failure{what: "it followed references without end and ran out of stack"}
	case contains(lastWords, "SIGBUS", "SIGSEGV", "unexpected fault address"):
		return failure{what: "it crashed: it read outside of the file"}
	case contains(lastWords, listing):
		_, problem, _ := bytes.Cut(lastWords, []byte(listing))
		problem, _, _ = bytes.Cut(problem, []byte("\n"))
		return failure{"it panicked where it looks for free pages", string(problem)}
	case contains(lastWords, "assertion failed"):
		return failure{what: "it panicked: a page is not what led to it says"}
	case contains(lastWords, "panic: "):
		return failure{what: "it panicked"}
	}
	return failure{what: fmt.Sprintf("it ended early: %v", err)} // such as "signal: killed"
}

// known are the problems that bbolt's check reports.
//
// Source: go.etcd.io/bbolt/tx_check.go.
var known = regexp.MustCompile(`^(page \d+: (already freed|unreachable unfreed|out of bounds|multiple references|reachable freed|invalid type)|` +
	`the first key\[\d+\]|key\[\d+\]|unexpected page type)`)

var (
	hexKey = regexp.MustCompile(`=?\(hex\)[0-9a-f-]*| \([0-9a-f-]*\)|unknown<.*>| \(flags: .*\)`)
	number = regexp.MustCompile(`\d+`)
	stack  = regexp.MustCompile(`[. ]*(\(stack: .*|(Stack|Pages stack): .*)$`)
)

// problem is what bbolt's check says of a file of that many pages, without any byte of
// it. A number that is no page of the file is a question mark.
func problem(text string, pages page.ID) string {
	if !known.MatchString(text) {
		return "its check panicked"
	}
	text = stack.ReplaceAllString(text, "")
	text = hexKey.ReplaceAllString(text, "")
	return number.ReplaceAllStringFunc(text, func(n string) string {
		if v, err := strconv.ParseUint(n, 10, 64); err != nil || v > uint64(pages) && v > 1<<16 {
			return "?"
		}
		return n
	})
}
