package page_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"go.etcd.io/bbolt"

	"github.com/etcdsift/etcdsift/decode/page"
)

// smallDB is a db with pages of 4 KiB, a bucket and two keys.
func smallDB() []byte {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "db")
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{PageSize: 4096})
	if err != nil {
		panic(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucket([]byte("key"))
		if err != nil {
			return err
		}
		if err := b.Put([]byte("first"), make([]byte, 1000)); err != nil {
			return err
		}
		return b.Put([]byte("second"), make([]byte, 2000))
	})
	if err != nil {
		panic(err)
	}
	if err := db.Close(); err != nil {
		panic(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		panic(err)
	}
	return b
}

// A db is read in two steps: which pages does the newest tree reach, and what is on each page of
// the file?
func Example() {
	db := smallDB()
	f, err := page.Open(bytes.NewReader(db), int64(len(db)))
	if err != nil {
		panic(err)
	}
	tree := f.Walk(page.Branches)
	for p, err := range f.Sweep(tree, nil) {
		if err != nil {
			panic(err)
		}
		switch p.Use {
		case page.Leaf:
			fmt.Printf("page %d, bucket %q:\n", p.ID, tree.BucketPath(p.Bucket))
			for e, err := range p.LeafElements() {
				if err != nil {
					panic(err)
				}
				fmt.Printf("  %d bytes of value under %q\n", len(e.Value), e.Key)
			}
		default:
			fmt.Printf("page %d: %v\n", p.ID, p.Use)
		}
	}
	// Output:
	// page 0: meta
	// page 1: meta
	// page 2: unreachable
	// page 3: unreachable
	// page 4, bucket "key":
	//   1000 bytes of value under "first"
	//   2000 bytes of value under "second"
	// page 5, bucket "":
	//   16 bytes of value under "key"
	// page 6: freelist
	// page 7: tail
}
