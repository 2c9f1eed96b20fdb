package keys

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// The bound on chance is one: texts drawn at random are alike no more often.
func TestByChance(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	const rounds, n = 4000, 300
	for more := range 3 {
		alike := map[int]int{} // rounds in which so many texts or more start alike
		for range rounds {
			counts := map[string]int{}
			for range n {
				b := make([]byte, more+1)
				for i := range b {
					b[i] = byte(rnd.Uint32())
				}
				if b[more] == ':' && !bytes.ContainsFunc(b[:more], func(r rune) bool { return r < ' ' || r > '~' }) {
					counts[string(b)]++
				}
			}
			most := 0
			for _, c := range counts {
				most = max(most, c)
			}
			for k := 1; k <= most; k++ {
				alike[k]++
			}
		}
		for k := 1; k < 8; k++ {
			seen, bound := float64(alike[k])/rounds, byChance(more, k, n)
			if bound < 1 && seen > bound*1.5+0.003 {
				t.Errorf("%d bytes, %d alike of %d: seen in %.4f of the rounds, the bound is %.4f", more, k, n, seen, bound)
			}
		}
	}
}
