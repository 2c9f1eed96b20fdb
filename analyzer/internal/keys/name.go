package keys

import (
	"math"

	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/decode/envelope"
)

// The name of a key may hold colons. Behind it stands a nonce, which may start with text and a
// colon by chance: one in 160 does. A single value of aesgcm or secretbox does not tell the two
// apart. All values of a run do: what is of the name is the same in all values of the key, and
// what is of a nonce is in no other value.

// DecideNames decides where the names end that may go on behind a colon: it sets KeyName and Unsure
// of each Storage with several Names, and tells the Interests the names that go on. It comes after
// the sweep of all evidence.
func DecideNames(evs []*seen.Evidence) {
	// How many different values may have each name. Members of one cluster have the same values, so
	// the numbers of several evidences are not added up.
	values := map[envelope.Name]int{}
	for _, ev := range evs {
		here := map[envelope.Name]int{}
		for i, n := range ev.Ledger.Distinct() {
			how := &ev.Keys.Storages[i]
			for _, name := range how.Possible() {
				here[envelope.Name{Provider: how.Provider, Name: name}] += n
			}
		}
		for id, n := range here {
			values[id] = max(values[id], n)
		}
	}
	known := map[envelope.Name]bool{}
	for _, ev := range evs {
		for i := range ev.Keys.Storages {
			how := &ev.Keys.Storages[i]
			if how.Names == nil {
				continue
			}
			how.KeyName, how.Unsure = nameOf(how, values)
			if how.KeyName != how.Shortest {
				known[envelope.Name{Provider: how.Provider, Name: how.KeyName}] = true
			}
		}
	}
	for _, ev := range evs {
		ev.Interest.Learn(known)
	}
}

// A longer name is taken for the name if chance makes one like it less often than unlikely, and the
// shorter one if more often than likely. Between them nobody can tell.
const (
	likely   = 1e-2
	unlikely = 1e-4
)

// nameOf is the longest of the names that values stored like that may have which is unlikely to be
// there by chance. unsure says that nobody can tell whether the name is a longer one. values counts
// the values that may have a name.
func nameOf(how *seen.Storage, values map[envelope.Name]int) (name string, unsure bool) {
	name = how.Shortest
	for _, longer := range how.Names[1:] {
		with := values[envelope.Name{Provider: how.Provider, Name: longer}]
		all := values[envelope.Name{Provider: how.Provider, Name: name}]
		switch p := byChance(len(longer)-len(name)-1, with, all); {
		case p < unlikely:
			name, unsure = longer, false
		case p < likely:
			unsure = true
		}
	}
	return name, unsure
}

// How many bytes are printable, and how many there are.
const (
	printables = 95
	bytesInAll = 256
)

// byChance bounds the probability that k of n random texts start with the same bytes: a number of
// printable ones, which is more, and a colon.
func byChance(more, k, n int) float64 {
	// The logarithm of how many texts are to be expected that start with given bytes.
	expected := math.Log(float64(n)) - float64(more+1)*math.Log(bytesInAll)
	if k < 1 || float64(k) <= math.Exp(expected) {
		return 1
	}
	// The upper tail of Poisson's distribution, for each choice of the printable bytes.
	factorial, _ := math.Lgamma(float64(k) + 1)
	return math.Exp(min(0, float64(more)*math.Log(printables)+float64(k)*expected-factorial))
}
