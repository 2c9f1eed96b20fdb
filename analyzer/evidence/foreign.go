package evidence

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode/page"
)

// etcdBuckets are the buckets that an etcd makes. A db with any of them is taken for an etcd's,
// whatever else is missing: it may be damaged.
//
// Source: go.etcd.io/etcd/server/v3/storage/schema/bucket.go.
var etcdBuckets = []string{
	"key", "meta", "lease", "alarm", "cluster", "members", "members_removed", "auth", "authUsers", "authRoles",
}

// foreign says what a db is that no etcd wrote; empty for an etcd's, and if that cannot be told
// for sure. Many programs keep bbolt files: Portainer, Vault, containerd, Consul.
func (s *Source) foreign() string {
	if s.Kind != report.KindDB {
		return ""
	}
	size := s.Size
	if size%512 == SnapshotHashSize {
		size -= SnapshotHashSize
	}
	f, err := page.Open(s.Data(), size)
	if err != nil {
		return ""
	}
	names, known := f.RootBuckets()
	switch {
	case !known || slices.ContainsFunc(names, func(name string) bool { return slices.Contains(etcdBuckets, name) }):
		return ""
	case len(names) == 0:
		return "a bbolt db without any bucket yet: never used"
	}
	return "a bbolt db, but not etcd's: " + bucketList(names)
}

// maxBuckets bounds the buckets that bucketList names, and maxBucketName the bytes of each.
const (
	maxBuckets    = 8
	maxBucketName = 32
)

// bucketList names the buckets of a db that is not known: the names may be any bytes.
func bucketList(names []string) string {
	var shown []string
	for _, name := range names[:min(len(names), maxBuckets)] {
		cut := name[:min(len(name), maxBucketName)]
		text := strings.Trim(strconv.QuoteToASCII(cut), `"`)
		if cut != name {
			text += "..."
		}
		shown = append(shown, text)
	}
	list := strings.Join(shown, ", ")
	if more := len(names) - len(shown); more > 0 {
		list += fmt.Sprintf(" and %d more", more)
	}
	if len(names) == 1 {
		return "bucket " + list
	}
	return "buckets " + list
}
