// Package witness has a second program read the evidence: bbolt, the library that
// wrote it. Forensic practice trusts a reading that two tools agree on.
//
// bbolt opens by path, takes a lock, maps the file into memory and trusts what it finds there:
// on damage it panics, recurses or reads past the map. So it never sees the evidence. Package
// witness makes a private copy through the program's own reader, and bbolt reads that in a
// process of its own (this program, started once more), with bounds on memory and time. Its
// crash is a line in the report.
//
// Both count the records of every bucket and sum up keyed hashes of them. Each run makes a
// random key, and prints neither it nor a sum.
package witness

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"github.com/etcdsift/etcdsift/analyzer/evidence"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode/page"
)

// tool is what the report calls the witness.
const tool = "bbolt"

// modulePath is where tool comes from.
const modulePath = "go.etcd.io/bbolt"

// A Witness examines files. New makes a useful one.
type Witness struct {
	exe  string   // this program
	args []string // that make it the child
	dir  string   // of the copies

	// limits of a child on a file of so many bytes and pages
	limits func(size int64, pages page.ID) limits
}

// limits bound what a child may take.
type limits struct {
	memory int64 // bytes beyond the map of the file; a hard limit only on Linux
	time   time.Duration
}

// New makes a Witness that starts this program with the argument command, on which it must call
// Serve. It copies evidence to os.TempDir.
func New(command string) (*Witness, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	dir := os.TempDir()
	if real, err := filepath.EvalSymlinks(dir); err == nil { // a ".." behind a link may lead elsewhere
		dir = real
	}
	return &Witness{exe: exe, args: []string{os.Args[0], command}, dir: dir, limits: defaultLimits}, nil
}

// defaultLimits leave bbolt room for what it keeps of every page while it checks (two
// maps of reachable pages, one of free ones), and the time of a slow disk.
func defaultLimits(size int64, pages page.ID) limits {
	return limits{
		memory: 256<<20 + 256*int64(min(pages, 1<<32)),
		time:   time.Minute + time.Duration(size/(4<<20))*time.Second,
	}
}

// Check says early why Examine could not copy evidence: the error names the dir.
func (w *Witness) Check(sources []evidence.Source) error {
	var largest int64
	for _, s := range sources {
		if s.HasTree() {
			largest = max(largest, s.Size)
		}
	}
	free, known := freeSpace(w.dir)
	if known && free < largest {
		return fmt.Errorf("a private copy of %d bytes is needed and %s has %d free: set TMPDIR to a dir with more room", largest, w.dir, free)
	}
	c, err := newCopy(w.dir)
	if err != nil {
		return fmt.Errorf("a private copy of the evidence can not be made: %w; set TMPDIR to another dir", err)
	}
	return c.close()
}

// Copies is the dir for copies.
func (w *Witness) Copies() string { return w.dir }

// Examine has bbolt read the source, with its SHA-256 as sum (in hexadecimal, empty if the run
// could not read all of it). The error is that of the context; nil and no error mean that the
// source is nothing that bbolt reads.
func (w *Witness) Examine(ctx context.Context, s evidence.Source, sum string) (*report.SecondWitness, error) {
	if !s.HasTree() {
		return nil, nil
	}
	said := &report.SecondWitness{Tool: tool, Version: version(), Result: report.WitnessNotRun, Problems: []string{}}
	if sum == "" {
		said.Detail = "not every byte of the file could be read"
		return said, ctx.Err()
	}
	c, err := newCopy(w.dir)
	if err != nil {
		said.Detail = fmt.Sprintf("the private copy could not be made: %v", err)
		return said, ctx.Err()
	}
	defer c.close()
	got, err := c.fill(ctx, s)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		said.Detail = err.Error()
		return said, nil
	case hex.EncodeToString(got[:]) != sum:
		said.Detail = "the file has other bytes than when it was scanned"
		said.Changed = true
		return said, nil
	}
	err = w.compare(ctx, c, s.Size, said)
	if !said.Page.IsZero() {
		said.Offset += s.Base // the copy is of the db alone
	}
	return said, err
}

// compare has both readers read the copy, and says in the report how they agree. The
// error is that of the context.
func (w *Witness) compare(ctx context.Context, c *replica, size int64, said *report.SecondWitness) error {
	key := make([]byte, keySize)
	rand.Read(key) // never returns an error
	f, err := openPages(c.file, size)
	if err != nil {
		f = nil // no bbolt file, as the scan has said: let us see what bbolt says
	} else if f.Order != nativeOrder() {
		said.Detail = fmt.Sprintf("the file was written on a %v machine, and %s reads those of this one's byte order alone", f.Order, tool)
		return nil
	}
	return w.compareWith(ctx, c, size, f, key, said)
}

// compareWith holds what this program reads from f, nil for nothing, against what bbolt
// reads from c, a file of size bytes.
func (w *Witness) compareWith(ctx context.Context, c *replica, size int64, f *page.File, key []byte, said *report.SecondWitness) error {
	ours := newTally(key)
	var pages page.ID
	if f != nil {
		pages = f.Pages()
		if err := ours.readPages(ctx, f); err != nil {
			return err
		}
	}
	theirs, err := w.ask(ctx, c, request{Key: key, Size: size}, w.limits(size, pages), pages)
	if err != nil {
		return err
	}
	said.Records, said.Problems, said.Detail = theirs.tally.records(), theirs.problems, theirs.failure
	difference := ours.compare(theirs.tally)
	switch {
	case !theirs.read:
		said.Result = report.WitnessFailed
	case difference != nil:
		said.Result = report.WitnessDiffers
		return w.locate(ctx, c, size, f, key, difference, said)
	case theirs.failure != "":
		said.Result = report.WitnessFailed
		said.Detail = "it reads the same records, and then: " + theirs.failure
	default:
		said.Result = report.WitnessAgrees
		if n := len(theirs.problems); n == maxProblems {
			said.Detail = fmt.Sprintf("it reads the same records, and its check reports %d problems or more", n)
		} else if n > 0 {
			said.Detail = fmt.Sprintf("it reads the same records, and its check reports %d %s", n, plural(n, "problem", "problems"))
		}
	}
	return nil
}

// openPages opens the db in a file that may have a snapshot's hash behind it.
func openPages(r io.ReaderAt, size int64) (*page.File, error) {
	if size%512 == snapshotHashSize {
		size -= snapshotHashSize
	}
	return page.Open(io.NewSectionReader(r, 0, size), size)
}

// snapshotHashSize is the size of the SHA-256 that etcd puts behind a snapshot.
const snapshotHashSize = 32

// version is that of the library in this program.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, dep := range info.Deps {
		if dep.Path == modulePath {
			if dep.Replace != nil {
				return dep.Replace.Version
			}
			return dep.Version
		}
	}
	return "unknown"
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}
