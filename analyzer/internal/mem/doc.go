// Package mem holds what there are millions of, in less memory than the types of the language
// take: a list that grows without being copied, strings that share their memory, and a map
// from hashes to hashes. None of them knows anything of etcd.
package mem
