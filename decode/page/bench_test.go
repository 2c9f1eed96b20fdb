package page

import (
	"crypto/sha256"
	"io"
	"os"
	"path/filepath"
	"testing"

	bolt "go.etcd.io/bbolt"
)

// benchmarkKeys of 2 KiB each make a file of some 64 MiB.
const benchmarkKeys = 28_000

func BenchmarkSweep(b *testing.B) {
	benchmarkSweep(b, nil)
}

// What the analyzer does: the hash is taken in the same pass.
func BenchmarkSweepHashed(b *testing.B) {
	h := sha256.New()
	benchmarkSweep(b, func(_ int64, part []byte) { h.Write(part) })
}

func BenchmarkSHA256(b *testing.B) {
	file, size := benchmarkFile(b)
	b.SetBytes(size)
	for b.Loop() {
		h := sha256.New()
		if n, err := io.Copy(h, io.NewSectionReader(file, 0, size)); n != size || err != nil {
			b.Fatal(n, err)
		}
	}
}

func benchmarkSweep(b *testing.B, tap func(int64, []byte)) {
	file, size := benchmarkFile(b)
	f, err := Open(file, size)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(size)
	for b.Loop() {
		records := 0
		for p, err := range f.Sweep(f.Walk(Branches), tap) {
			if err != nil {
				b.Fatal(err)
			}
			if p.Use == Leaf {
				for range p.LeafElements() {
					records++
				}
			}
		}
		if records < benchmarkKeys {
			b.Fatalf("%d records of %d", records, benchmarkKeys)
		}
	}
}

func benchmarkFile(b *testing.B) (*os.File, int64) {
	path := filepath.Join(b.TempDir(), "db")
	db, err := bolt.Open(path, 0o600, boltOptions(4096))
	if err != nil {
		b.Fatal(err)
	}
	if err := db.Update(putKeys("key", benchmarkKeys, 2000)); err != nil {
		b.Fatal(err)
	}
	if err := db.Close(); err != nil {
		b.Fatal(err)
	}
	file, err := os.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { file.Close() })
	info, err := file.Stat()
	if err != nil {
		b.Fatal(err)
	}
	return file, info.Size()
}
