package analyzer

import (
	"cmp"
	"math"
	"slices"

	"github.com/etcdsift/etcdsift/decode/envelope"
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

// A keyNamed is a possible name of a key of a provider.
type keyNamed struct {
	provider envelope.Provider
	name     string
}

// nameKeys decides what the names of keys are that may go on behind a colon, and tells the
// watch of those that do. Until then stored.keyName is what a single value tells.
func nameKeys(surveys []*survey) {
	// How many different values have a name, or one that goes on behind it. Members of one
	// cluster have the same values, so they are not added up.
	values := map[keyNamed]int{}
	for _, s := range surveys {
		here := map[keyNamed]int{}
		for i, n := range s.ledger.distinct() {
			how := &s.keys.stored[i]
			for _, name := range how.possible() {
				here[keyNamed{how.provider, name}] += n
			}
		}
		for id, n := range here {
			values[id] = max(values[id], n)
		}
	}
	known := map[keyNamed]bool{}
	for _, s := range surveys {
		for i := range s.keys.stored {
			how := &s.keys.stored[i]
			if how.names == nil {
				continue
			}
			how.keyName, how.unsure = nameOf(how, values)
			if how.keyName != how.shortest {
				known[keyNamed{how.provider, how.keyName}] = true
			}
		}
	}
	for _, s := range surveys {
		s.watch.learn(known)
	}
}

// learn adds names that are known.
func (w *watch) learn(known map[keyNamed]bool) {
	names := w.names[:w.configured:w.configured]
	for id := range known {
		names = append(names, envelope.Name{Provider: id.provider, Name: id.name})
	}
	slices.SortFunc(names[w.configured:], func(a, b envelope.Name) int {
		return cmp.Or(cmp.Compare(a.Provider, b.Provider), cmp.Compare(a.Name, b.Name))
	})
	w.names = names
}

// possible is the names that a value stored like that may have, the shortest first.
func (s *stored) possible() []string {
	if s.names == nil {
		return []string{s.keyName}
	}
	return s.names
}

// nameOf is the longest name that is unlikely to be one by chance, among those that a value
// may have. unsure says that nobody can tell whether it is a longer one.
func nameOf(how *stored, values map[keyNamed]int) (name string, unsure bool) {
	name = how.shortest
	for _, longer := range how.names[1:] {
		with, all := values[keyNamed{how.provider, longer}], values[keyNamed{how.provider, name}]
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
