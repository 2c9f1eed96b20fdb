package sweep

import (
	"encoding/hex"
	"hash"

	"github.com/etcdsift/etcdsift/analyzer/evidence"
	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode"
)

// hashSnapshot ends the digest with the hash behind a snapshot, and compares the two.
func hashSnapshot(ev *seen.Evidence, sum *digest, dbSize int64) {
	if ev.Facts.Kind == report.KindSnapshot {
		ev.Facts.SnapshotHash = report.HashUnverified
		trailer := make([]byte, evidence.SnapshotHashSize)
		if err := ev.ReadFull(trailer, dbSize); err != nil {
			ev.AddDamage(&decode.FormatError{Off: dbSize, What: "snapshot hash", Err: err})
		} else {
			if sum.read == dbSize {
				ev.Facts.SnapshotHash = report.HashMismatch
			}
			if string(sum.Sum(nil)) == string(trailer) {
				ev.Facts.SnapshotHash = report.HashValid
			}
			sum.add(dbSize, trailer)
			ev.BytesRead += evidence.SnapshotHashSize
		}
	}
	if sum.next == ev.Size && sum.read == ev.Size {
		ev.Facts.SHA256 = hex.EncodeToString(sum.Sum(nil))
	}
}

// A digest hashes bytes that come in file order, and counts them. Where a part of
// the file is missing the hash means nothing, and read shows it.
type digest struct {
	hash.Hash
	next int64 // offset behind the last byte
	read int64
}

func (d *digest) add(off int64, b []byte) {
	d.Write(b)
	d.next = off + int64(len(b))
	d.read += int64(len(b))
}
