// Package sweep reads the files of an evidence, and takes down what is in them.
//
// DB reads a bbolt file in one pass, in the order of the file: it hashes all bytes, decodes the
// leaves that the newest tree reaches, and examines every other page as residue. Where the tree
// is broken a second pass salvages the records that it does not lead to. WAL reads the segments
// of a log, and replays what the db does not have yet. Search looks through a file without a
// structure.
//
// A pass is a function of the evidence that it fills. State of its own, such as that of a log
// while it is read, is a type of its own. The names of functions say what they do:
//
//	take    put what a page, a record or a raft entry holds where it belongs in the evidence
//	note    count a value in the ledger, and keep a copy of it if the Interest asks for it
//	carve   look through bytes that no record covers, for values and pieces of values
package sweep
