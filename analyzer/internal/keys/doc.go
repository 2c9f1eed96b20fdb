// Package keys is about the keys that encrypt values.
//
// DecideNames finds out where the name of a key ends, which a single value does not tell. Prove
// decrypts all encrypted values with the keys of a configuration, and looks for the path that a
// moved value was encrypted for. Nonces finds different values that share a nonce. None of them
// keeps a byte of what it decrypts.
package keys
