package keys

import (
	"math"

	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
)

// A key's name may hold colons, and behind it stands a nonce, which may start with text
// and a colon by chance: one in 160 does. A single value of aesgcm or secretbox does not
// tell the two apart. All values of a run do: what belongs to the name is the same in all
// values of the key, and what belongs to a nonce is in none but its own.

// A name is taken for a longer one if it looks like that by chance less often than
// unlikely, and for the shorter one if more often than likely. Between them nobody can tell.
const (
	likely   = 1e-2
	unlikely = 1e-4
)

// printables is how many bytes may stand in a text, and bytesInAll how many there are.
const (
	printables = 95
	bytesInAll = 256
)

// DecideNames decides what the names of keys are that may go on behind a colon, and tells the
// watch of those that do. Until then stored.keyName is what a single value tells.
func DecideNames(evs []*seen.Evidence) {
	// How many different values have a name, or one that goes on behind it. Members of one
	// cluster have the same values, so they are not added up.
	values := map[seen.KeyNamed]int{}
	for _, ev := range evs {
		here := map[seen.KeyNamed]int{}
		for i, n := range ev.Ledger.Distinct() {
			how := &ev.Keys.Storages[i]
			for _, name := range how.Possible() {
				here[seen.KeyNamed{Provider: how.Provider, Name: name}] += n
			}
		}
		for id, n := range here {
			values[id] = max(values[id], n)
		}
	}
	known := map[seen.KeyNamed]bool{}
	for _, ev := range evs {
		for i := range ev.Keys.Storages {
			how := &ev.Keys.Storages[i]
			if how.Names == nil {
				continue
			}
			how.KeyName, how.Unsure = nameOf(how, values)
			if how.KeyName != how.Shortest {
				known[seen.KeyNamed{Provider: how.Provider, Name: how.KeyName}] = true
			}
		}
	}
	for _, ev := range evs {
		ev.Interest.Learn(known)
	}
}

// nameOf is the longest name that is unlikely to be one by chance, among those that a value
// may have. unsure says that nobody can tell whether it is a longer one.
func nameOf(how *seen.Storage, values map[seen.KeyNamed]int) (name string, unsure bool) {
	name = how.Shortest
	for _, longer := range how.Names[1:] {
		with, all := values[seen.KeyNamed{Provider: how.Provider, Name: longer}], values[seen.KeyNamed{Provider: how.Provider, Name: name}]
		switch p := byChance(len(longer)-len(name)-1, with, all); {
		case p < unlikely:
			name, unsure = longer, false
		case p < likely:
			unsure = true
		}
	}
	return name, unsure
}

// byChance bounds the probability that k of n random texts start with the same printable
// bytes, of which there are more, and a colon.
func byChance(more, k, n int) float64 {
	// That one of them starts with certain bytes, n times: what is to be expected of them.
	expected := math.Log(float64(n)) - float64(more+1)*math.Log(bytesInAll)
	if k < 1 || float64(k) <= math.Exp(expected) {
		return 1
	}
	// The upper tail of Poisson's distribution, for each of the texts that there are.
	factorial, _ := math.Lgamma(float64(k) + 1)
	return math.Exp(min(0, float64(more)*math.Log(printables)+float64(k)*expected-factorial))
}
