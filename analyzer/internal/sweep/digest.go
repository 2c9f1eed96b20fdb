package sweep

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"

	"github.com/etcdsift/etcdsift/analyzer/evidence"
	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode"
)

// A digest is the SHA-256 of the bytes of a file, which come in file order. It means nothing
// where read is less than the size of the file: some bytes are missing.
type digest struct {
	hash.Hash
	next int64 // offset behind the last byte
	read int64 // how many bytes there were
}

func newDigest() digest { return digest{Hash: sha256.New()} }

func (d *digest) add(off int64, b []byte) {
	d.Write(b)
	d.next = off + int64(len(b))
	d.read += int64(len(b))
}

func (d *digest) hex() string { return hex.EncodeToString(d.Sum(nil)) }

// hashSnapshot adds the hash behind the db of a snapshot to sum, checks it, and returns its
// bytes: none if there is no hash, or if the disk did not give it. sum has the bytes of the db,
// of which there are dbSize.
func hashSnapshot(ev *seen.Evidence, sum *digest, dbSize int64) (trailer []byte) {
	if ev.Facts.Kind != report.KindSnapshot {
		return nil
	}
	ev.Facts.SnapshotHash = report.HashUnverified
	trailer = make([]byte, evidence.SnapshotHashSize)
	if err := ev.ReadFull(trailer, dbSize); err != nil {
		ev.AddDamage(&decode.FormatError{Off: dbSize, What: "snapshot hash", Err: err})
		return nil
	}
	if sum.read == dbSize {
		ev.Facts.SnapshotHash = report.HashMismatch
	}
	if string(sum.Sum(nil)) == string(trailer) {
		ev.Facts.SnapshotHash = report.HashValid
	}
	sum.add(dbSize, trailer)
	return trailer
}
