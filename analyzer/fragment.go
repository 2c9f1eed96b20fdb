package analyzer

import (
	"math"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode/carve"
	"github.com/etcdsift/etcdsift/decode/mvcc"
	"github.com/etcdsift/etcdsift/decode/object"
	"github.com/etcdsift/etcdsift/decode/page"
)

// carve looks through bytes of page p, or of pages from p on, that no whole record
// covers. Those on a leaf among the overflow pages of p are left to that leaf, so that
// none is looked through or counted twice.
func (s *survey) carve(p page.Page, b []byte, off int64) {
	where := inPieces
	if p.Use == page.Tail {
		where = inTail
	}
	for off, b := range p.Apart(b, off) {
		if p.Use != page.Unreachable && p.Use != page.Tail {
			s.counts.Bytes += int64(len(b)) // those of other pages are counted already
		}
		s.carveIn(dbFile, where, b, off, s.db.PageSize, math.MaxInt64)
	}
}

// carveIn looks through bytes of a file in which content may change its nature at
// each multiple of block, for what starts before the file offset end.
func (s *survey) carveIn(file fileID, where place, b []byte, off int64, block int, end int64) {
	for f := range carve.Scan(b, off, block) {
		if f.Off >= end {
			return
		}
		at := sighting{file: file, place: where, off: f.ValueOff, size: int64(len(f.Value)),
			object: true, complete: f.Complete}
		if file == dbFile && s.db.PageSize > 0 {
			at.page = report.PageAt(at.off, s.db.PageSize)
		}
		if f.Kind != carve.Orphan {
			s.counts.Fragments++
		}
		switch {
		case f.Kind == carve.Orphan:
			s.addPieces(file, f, block)
		case f.Kind == carve.Object:
			s.findObject(f, at)
		case f.Kind == carve.Record && f.Tombstone:
			if at.key, at.rev.Main, at.deletion, at.off = f.Key, f.ModRevision, true, f.Off; f.Key == s.watch.only {
				s.keep(at)
			}
		case f.Kind == carve.Record:
			at.key, at.create, at.version = f.Key, f.CreateRevision, f.Version
			at.rev = mvcc.Revision{Main: f.ModRevision, Sub: f.Sub}
			s.ledger.carve(f.Value, at)
			s.sightValue(f.Value, s.watch.key([]byte(f.Key)), at)
		case f.Kind == carve.Envelope:
			// Nobody knows its key, and where it ends often neither.
			env, _ := s.keys.open(f.Value, f.ValueOff)
			at.stored = s.keys.intern(env)
			at.sum = s.watch.sealedSum(&env)
			s.ledger.sealed(&at, &env)
		}
	}
}

// findObject keeps an object of which the key is not known, if its kind may be in
// scope.
func (s *survey) findObject(f carve.Find, at sighting) {
	if s.watch.only == "" && !s.watch.kind(f.TypeMeta) {
		return
	}
	at.stored, _ = s.keys.parse(f.Value, at.off)
	at.sum = s.watch.sum(f.Value)
	if f.TypeMeta.Kind == secretType.Kind {
		at.holds = s.contents.add(f.Value, at.off)
	}
	s.found = append(s.found, found{at, f.TypeMeta, f.Namespace, f.Name})
}

// kind reports whether objects of that kind may be in scope: the plural that the
// API has for most kinds is the resource.
func (w *watch) kind(t object.TypeMeta) bool {
	plural, singular := meta.UnsafeGuessKindToResource(schema.FromAPIVersionAndKind(t.APIVersion, t.Kind))
	for _, part := range w.parts {
		if name := strings.Trim(string(part), "/"); name == plural.Resource || name == singular.Resource {
			return true
		}
	}
	return false
}

// addPieces keeps the parts of an orphan, block by block since each may be of another
// origin, for comparison with known values.
func (s *survey) addPieces(file fileID, f carve.Find, block int) {
	for off, b := range carve.Pieces(f.Bytes, f.Off, block) {
		if len(s.pieces) == maxPieces {
			s.skipped += int64(len(b))
		} else {
			s.pieces = append(s.pieces, piece{off, int32(len(b)), file, f.Class})
		}
	}
}

// resolve finds the keys of objects that were found without one: the key of the
// same resource, namespace and name, or the one that it would have had.
func (s *survey) resolve() {
	byKey := map[string][]int{}
	for i := range s.found {
		f := &s.found[i]
		if f.key = s.keyOf(f); f.key != "" {
			byKey[f.key] = nil
		}
	}
	for i, at := range s.sightings.all() {
		if list, ok := byKey[at.key]; ok {
			byKey[at.key] = append(list, i)
		}
	}
	for i := range s.found {
		f := &s.found[i]
		if f.key == "" || s.watch.only != "" && f.key != s.watch.only {
			continue
		}
		if _, ok := s.names.Identify(f.key); !ok && f.TypeMeta.Kind == secretType.Kind {
			s.strays[f.key] = object.Identity{GroupResource: secrets, Namespace: f.namespace, Name: f.name}
		}
		s.date(&f.sighting, byKey[f.key])
		s.keep(f.sighting)
	}
	s.found = nil
}

// keyOf is the key that an object has.
func (s *survey) keyOf(f *found) string {
	parts := make([]string, 0, 2)
	for _, part := range []string{f.namespace, f.name} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	end := strings.Join(parts, "/")
	if end == "" {
		return ""
	}
	plural, _ := meta.UnsafeGuessKindToResource(schema.FromAPIVersionAndKind(f.APIVersion, f.Kind))
	paths := []string{plural.Resource}
	if strings.Contains(plural.Group, ".") {
		paths = append(paths, plural.Group+"/"+plural.Resource)
	}
	for _, last := range object.LastSegments(object.GroupResource{Resource: plural.Resource}) {
		paths = append(paths, last, "services/"+last)
	}
	prefixes := s.names.Prefixes()
	for _, prefix := range prefixes {
		for _, path := range paths {
			if key := prefix + "/" + path + "/" + end; s.keys.entry(key) != nil || s.unheld[key] != "" {
				return key
			}
		}
	}
	if len(prefixes) == 0 {
		prefixes = object.DefaultPrefixes
	}
	return prefixes[0] + "/" + paths[0] + "/" + end
}

// date gives a copy without a revision that of the copy of the same key, among the
// sightings of those numbers, with the same bytes, if there is just one such revision.
func (s *survey) date(at *sighting, among []int) {
	for _, i := range among {
		other := s.sightings.at(i)
		if other.sum != at.sum || other.rev.Main == 0 || !other.complete || other.deletion || other.orphan {
			continue
		}
		if at.rev.Main != 0 && at.rev != other.rev {
			at.rev, at.create, at.version = mvcc.Revision{}, 0, 0
			return
		}
		at.rev, at.create, at.version = other.rev, other.create, other.version
	}
}
