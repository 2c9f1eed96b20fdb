package page

// maxRoots bounds the pages of the bucket of buckets that RootBuckets reads. etcd's has one.
const maxRoots = 64

// unusedPages is how many pages bbolt writes into a new file: two metas, the freelist, and the
// empty bucket of buckets.
const unusedPages = 4

// RootBuckets lists the names of the buckets at the top of the newest tree, in order. It is false
// if they are not known for sure: there is no valid meta, a page of them is damaged, they are too
// many, or the file has no bucket and more pages than a new one, so that something was lost.
func (f *File) RootBuckets() (names []string, ok bool) {
	m, _, ok := f.Meta()
	if !ok || m.HighWater > f.Pages() {
		return nil, false
	}
	w := walker{File: f, tree: &Tree{highWater: m.HighWater}, overflow: maxRoots * maxPageSize, page: make([]byte, f.PageSize)}
	todo := []ID{m.Root}
	for read := 0; len(todo) > 0; read++ {
		id := todo[0]
		todo = todo[1:]
		if id < 2 || id >= m.HighWater || read >= maxRoots {
			return nil, false
		}
		p, ok := w.readRun(visit{id: id})
		if !ok || p.Header.ID != id || len(w.tree.Damage) > 0 {
			return nil, false
		}
		switch {
		case p.Header.Flags == FlagBranch && p.Header.Count > 0:
			for e, err := range p.BranchElements() {
				if err != nil || len(todo) > maxRoots {
					return nil, false
				}
				todo = append(todo, e.Child)
			}
		case p.Header.Flags != FlagLeaf, p.Header.Count == 0 && (id != m.Root || !IsZero(p.Data[HeaderSize:])):
			return nil, false
		default:
			for e, err := range p.LeafElements() {
				if err != nil || !e.IsBucket() || len(e.Value) < bucketHeader || len(names) >= maxBuckets {
					return nil, false
				}
				names = append(names, string(e.Key))
			}
		}
	}
	return names, len(names) > 0 || m.HighWater <= unusedPages
}
