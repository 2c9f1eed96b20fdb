package envelope

// Nonce is what must never be the same for two different values: the IV or nonce, and the
// encrypted data encryption key that it belongs to, nil where the named key itself encrypts.
// For a seed of KMS v2 the info that derives the key of each value goes before the nonce. A
// KMS v1 value does not say whether it is AES-GCM or AES-CBC: Nonce takes the first 12 bytes,
// as far as a nonce goes. It is false for plaintext, and where there are too few bytes. The
// slices alias the envelope.
func (e *Envelope) Nonce() (dek, nonce []byte, ok bool) {
	b, size := e.Payload, e.Provider.scheme().nonce
	switch {
	case size == 0:
		return nil, nil, false
	case e.Provider == KMSv1:
		if len(b) < 2+e.DEKLen {
			return nil, nil, false
		}
		dek, b = clip(b[2:2+e.DEKLen]), b[2+e.DEKLen:]
	case e.Provider == KMSv2:
		dek, b = e.Object.DEKSource, e.Object.EncryptedData
		if e.Object.DEKSourceType == HKDFSHA256Seed {
			size += infoSize
		}
	}
	if len(b) < size {
		return nil, nil, false
	}
	return dek, b[:size:size], true
}
