// Package seen is what a run has seen of the evidence, as data that all passes share.
//
// An Evidence is a db and the WAL beside it, where it has one, or a WAL alone. It has the
// Keyspace, which is the newest revision of each key; the Copies, which are the places where
// values of the keys that matter were seen; the Ledger, which counts all values by how they were
// stored; and what could not be read. An Interest says of which keys every copy is kept.
//
// The passes fill it one after the other:
//
//	package   what it sets
//	sweep     everything but the following, while the files are read
//	keys      the names in Storage, when the values of all files can be compared
//	naming    Names and Disguised; copies of objects and pieces whose keys it finds; revisions
//	          that other copies tell, and Reread
//	keys      Entry.Proof, with a configuration
//	analyzer  what became of the files meanwhile, after the last read
//
// After the sweep values are read through EachValue alone, or one by one by their positions: the
// rules in records.go decide which records there are. What is kept of an evidence grows with the
// number of its keys and of the copies that matter, never with the size of the files.
package seen
