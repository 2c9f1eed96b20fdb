// Package mem holds what there are millions of, in less memory than Go's own types take: a list
// that grows without being copied, strings that share their memory, and a map from hashes to
// hashes. It knows nothing of etcd.
package mem
