package wal

import (
	"fmt"
	"strconv"
	"strings"
)

// A Name is what the name of a segment's file says, as in
// 0000000000000003-000000000004f1a2.wal.
type Name struct {
	Seq   uint64 // counts the segments of this log, from 0
	Index Index  // of the entry that was next when etcd began the segment; 0 in the first
	// Broken marks a copy that etcd made before it cut a torn record off the segment of the
	// same name. It is no part of the chain.
	Broken bool
}

const (
	extension = ".wal"
	broken    = ".broken"
	hexDigits = 16
)

// ParseName decodes the base name of a segment's file.
//
// Source: walName and Repair in storage/wal.
func ParseName(base string) (n Name, ok bool) {
	base, n.Broken = strings.CutSuffix(base, broken)
	base, ok = strings.CutSuffix(base, extension)
	seq, index, dash := strings.Cut(base, "-")
	if !ok || !dash || len(seq) != hexDigits || len(index) != hexDigits {
		return Name{}, false
	}
	s, seqErr := strconv.ParseUint(seq, 16, 64)
	i, indexErr := strconv.ParseUint(index, 16, 64)
	if seqErr != nil || indexErr != nil {
		return Name{}, false
	}
	n.Seq, n.Index = s, Index(i)
	return n, true
}

func (n Name) String() string {
	s := fmt.Sprintf("%016x-%016x%s", n.Seq, uint64(n.Index), extension)
	if n.Broken {
		s += broken
	}
	return s
}
