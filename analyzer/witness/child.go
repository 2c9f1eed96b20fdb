package witness

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"os"
	"runtime/debug"

	bolt "go.etcd.io/bbolt"
)

// A request is what the parent asks the child for, in one line on its standard input.
// That stays open as long as the parent lives.
type request struct {
	Key    []byte `json:"key"`
	Size   int64  `json:"size"`             // of the copy, in bytes
	Memory int64  `json:"memory"`           // for the child, in bytes
	Path   string `json:"path,omitempty"`   // of the copy, if the child cannot inherit files
	Bucket []byte `json:"bucket,omitempty"` // list the records of this bucket, and nothing else
}

// An answer is a line on the standard output of the child. It sets one field.
type answer struct {
	Bucket  *bucketAnswer `json:"bucket,omitempty"`
	Record  *recordAnswer `json:"record,omitempty"`
	Read    bool          `json:"read,omitempty"` // all buckets were read
	Problem string        `json:"problem,omitempty"`
	Error   string        `json:"error,omitempty"`
	Done    bool          `json:"done,omitempty"`
}

type bucketAnswer struct {
	Path    []byte `json:"path"`
	Name    []byte `json:"name"` // the start of it
	Records int    `json:"records"`
	Sum     sum    `json:"sum"`
}

type recordAnswer struct {
	Key []byte `json:"key"` // the start of it
	ID  []byte `json:"id"`  // the digest of the key
	Sum []byte `json:"sum"` // the digest of the record
}

// maxShown bounds the names and keys that the child passes on: etcd's are shorter.
const maxShown = 64

// maxProblem bounds the text of a problem, which has all pages on the way to it.
const maxProblem = 1 << 10

// maxStack bounds the stack of the child in bytes: bbolt follows a cycle without end.
const maxStack = 64 << 20

// Serve is the child: it reads a request from in, has bbolt read the copy, and writes
// answers to out. It returns the exit status. On damage it may well crash instead.
func Serve(in io.Reader, out io.Writer) int {
	stdin := bufio.NewReader(in)
	line, err := stdin.ReadBytes('\n')
	var r request
	if err == nil {
		err = json.Unmarshal(line, &r)
	}
	if err != nil || len(r.Key) != keySize {
		return 2 // only this program calls it
	}
	go func() {
		_, _ = io.Copy(io.Discard, stdin)
		os.Exit(3) // the parent is gone
	}()
	w := bufio.NewWriterSize(out, 64<<10)
	c := child{request: r, out: json.NewEncoder(w), flush: w.Flush, tally: newTally(r.Key)}
	if err := c.serve(); err != nil {
		c.say(answer{Error: err.Error()})
	}
	if err := errors.Join(c.err, w.Flush()); err != nil {
		return 2
	}
	return 0
}

type child struct {
	request
	out   *json.Encoder
	flush func() error
	err   error // of out
	tally *tally
}

// say writes an answer. What it says before a crash must be out by then: see flush.
func (c *child) say(a answer) {
	if c.err == nil {
		c.err = c.out.Encode(a)
	}
}

// serve answers the request. Its error is one that bbolt gives: it holds no bytes of the
// file.
func (c *child) serve() error {
	debug.SetMaxStack(maxStack)
	debug.SetMemoryLimit(c.Memory)
	if err := limitMemory(c.Size, c.Memory); err != nil {
		return err
	}
	f, err := borrowed(c.request)
	if err != nil {
		return err
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() || info.Size() != c.Size {
		return errors.New("no copy to read")
	}
	db, err := bolt.Open("copy.db", 0, &bolt.Options{
		ReadOnly: true, NoStatistics: true,
		OpenFile: func(string, int, os.FileMode) (*os.File, error) { return f, nil },
	})
	if err != nil {
		return err
	}
	// Nothing closes it, because the check may go on in a goroutine of its own: the process
	// ends.
	return db.View(func(tx *bolt.Tx) error {
		if err := c.bucket(rootBucket, tx.Cursor().Bucket()); err != nil {
			return err
		}
		if c.Bucket == nil {
			c.say(answer{Read: true})
			c.check(tx)
		}
		c.say(answer{Done: true})
		return nil
	})
}

// bucket reads a bucket and those in it.
func (c *child) bucket(path digest, b *bolt.Bucket) error {
	listed := c.Bucket != nil && string(c.Bucket) == string(path[:])
	err := b.ForEach(func(k, v []byte) error {
		if v == nil {
			nested := b.Bucket(k)
			if nested == nil {
				return errors.New("a bucket can not be opened")
			}
			return c.bucket(c.tally.nested(path, k, nested.Sequence()), nested)
		}
		c.tally.record(path, k, v)
		if listed {
			id, sum := c.tally.digest(ofKey, path, 0, k, nil), c.tally.digest(ofRecord, path, 0, k, v)
			c.say(answer{Record: &recordAnswer{k[:min(len(k), maxShown)], id[:], sum[:]}})
		}
		return c.err
	})
	if err == nil && c.Bucket == nil {
		t := c.tally.bucket(path, nil)
		c.say(answer{Bucket: &bucketAnswer{path[:], t.name[:min(len(t.name), maxShown)], t.records, t.sum}})
	}
	return err
}

// check passes on what bbolt's check says. It may end in a crash, so check flushes first.
func (c *child) check(tx *bolt.Tx) {
	c.err = errors.Join(c.err, c.flush())
	n := 0
	for err := range tx.Check(bolt.WithKVStringer(noBytes{})) {
		text := err.Error()
		c.say(answer{Problem: text[:min(len(text), maxProblem)]})
		c.err = errors.Join(c.err, c.flush())
		if n++; n == maxProblems {
			break // in a cycle there is no last
		}
	}
}

// noBytes keeps keys and values out of what bbolt's check says.
type noBytes struct{}

func (noBytes) KeyToString([]byte) string   { return "-" }
func (noBytes) ValueToString([]byte) string { return "-" }
