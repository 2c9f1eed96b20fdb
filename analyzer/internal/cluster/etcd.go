package cluster

import (
	"path"
	"path/filepath"

	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode/mvcc"
)

// numberEtcds numbers the etcd clusters that the evidence is of. Two evidences are of one etcd if
// they share a member; one that names no member stands alone.
func numberEtcds(evs []*seen.Evidence) map[*seen.Evidence]int {
	numbers := map[*seen.Evidence]int{}
	byMember := map[mvcc.MemberID]int{}
	for i, ev := range evs {
		numbers[ev] = i
		for _, id := range ev.Members() {
			if other, ok := byMember[id]; ok && other != numbers[ev] {
				merge(numbers, byMember, numbers[ev], other)
			}
			byMember[id] = numbers[ev]
		}
	}
	joinLeftovers(evs, numbers)
	return numbers
}

// merge gives all that is of the cluster from to the cluster to.
func merge(numbers map[*seen.Evidence]int, byMember map[mvcc.MemberID]int, from, to int) {
	for ev, n := range numbers {
		if n == from {
			numbers[ev] = to
		}
	}
	for id, n := range byMember {
		if n == from {
			byMember[id] = to
		}
	}
}

// joinLeftovers gives a file that names no member, such as the db of a defragmentation that was cut
// short, to the cluster of the db beside it or of the data dir that it lies in, or of the WAL where
// there is no db, as in a backup of etcd 2.
func joinLeftovers(evs []*seen.Evidence, numbers map[*seen.Evidence]int) {
	for _, ev := range evs {
		if len(ev.Members()) > 0 {
			continue
		}
		for _, other := range evs {
			if other == ev {
				continue
			}
			if !other.HasValues() && other.What != "" && ev.What != "" && beside(ev.Path, other.Path) {
				numbers[ev] = numbers[other] // a db that comes behind it has the last word
			}
			if ofOneDataDir(ev, other) || !ev.HasValues() && other.HasValues() && other.File == nil && besideLog(ev.Path, other.Path) {
				numbers[ev] = numbers[other]
				break
			}
		}
	}
}

// besideLog reports whether a file lies in the member dir of a WAL segment, as a raft snapshot does.
func besideLog(file, segment report.Text) bool {
	return beside(report.Text(path.Dir(filepath.ToSlash(string(file)))), report.Text(path.Dir(filepath.ToSlash(string(segment)))))
}

// ofOneDataDir reports whether ev, which names no member, is of the cluster of other by where it
// lies: ev is a leftover or a copy in the data dir of other, or the db in use, and other what its
// etcd left behind.
func ofOneDataDir(ev, other *seen.Evidence) bool {
	switch {
	case other.File == nil:
		return false
	case ev.Home != "" && ev.Home == other.Member,
		ev.Member != "" && ev.Member == other.Home && other.What != "" && len(other.Members()) > 0:
		return true
	}
	return !ev.HasValues() && other.HasValues() && beside(ev.Path, other.Path)
}

// beside reports whether two files lie in the same folder.
func beside(a, b report.Text) bool {
	return path.Dir(filepath.ToSlash(string(a))) == path.Dir(filepath.ToSlash(string(b)))
}
