package envelope

import (
	"encoding/binary"

	"github.com/etcdsift/etcdsift/decode"
)

// Sizes of what the providers put around a ciphertext.
const (
	blockSize = 16 // AES; also the IV of AES-CBC
	nonceGCM  = 12
	nonceXSal = 24 // XSalsa20
	tagSize   = 16 // GCM and Poly1305 alike
	infoSize  = 32 // HKDF info before a GCM nonce, with a KMS v2 seed

	minCBC       = blockSize + blockSize // PKCS#7 pads even an empty plaintext to a block
	minGCM       = nonceGCM + tagSize
	minSecretbox = nonceXSal + tagSize
)

// Ciphertext is the ciphertext in the payload with the nonce and the tag around it, as far as
// it is there. For KMS v1 it also has the encrypted DEK in front, for a seed of KMS v2 the
// info. It aliases the envelope.
func (e *Envelope) Ciphertext() []byte {
	if len(e.Object.EncryptedData) > 0 {
		return e.Object.EncryptedData
	}
	return e.Payload
}

// Tail is the 16 bytes of a ciphertext that depend on all of it: the tag, or the last
// block of AES-CBC. It is shorter if there is no more. It aliases the envelope.
func (e *Envelope) Tail() []byte {
	b := e.Ciphertext()
	if s := e.Provider.scheme(); s.tag == tagFirst && len(b) >= s.nonce+tagSize {
		b = b[:s.nonce+tagSize]
	}
	return clip(b[max(0, len(b)-tagSize):])
}

// checkPayload tells whether the payload, at file offset off, can be what the
// provider writes, and fills in what it says of itself.
func (e *Envelope) checkPayload(off int64) error {
	switch e.Provider {
	case AESCBC:
		switch {
		case len(e.Payload) < minCBC:
			return formatError(off, "aescbc payload", decode.ErrTruncated)
		case len(e.Payload)%blockSize != 0:
			return formatError(off, "aescbc payload, no whole number of blocks", decode.ErrValue)
		}
	case AESGCM:
		if len(e.Payload) < minGCM {
			return formatError(off, "aesgcm payload", decode.ErrTruncated)
		}
	case Secretbox:
		if len(e.Payload) < minSecretbox {
			return formatError(off, "secretbox payload", decode.ErrTruncated)
		}
	case KMSv1:
		return e.checkKMSv1(off)
	case KMSv2:
		var err error
		e.Object, err = ParseEncryptedObject(e.Payload, off)
		return err
	}
	return nil
}

// checkKMSv1 checks u16 length, encrypted DEK, ciphertext. It fills in DEKLen as soon as
// there are two bytes to read it from, even if that is impossible.
//
// The API server takes an empty DEK from its plugin without a word, but no
// plugin can make a key out of nothing again.
func (e *Envelope) checkKMSv1(off int64) error {
	if len(e.Payload) < 2 {
		return formatError(off, "kms-v1 payload, DEK length", decode.ErrTruncated)
	}
	e.DEKLen = int(binary.BigEndian.Uint16(e.Payload))
	switch rest := len(e.Payload) - 2; {
	case e.DEKLen == 0:
		return formatError(off, "kms-v1 payload, DEK length", decode.ErrValue)
	case e.DEKLen > rest:
		return formatError(off, "kms-v1 payload, DEK length", decode.ErrBounds)
	case rest-e.DEKLen < minGCM:
		return formatError(off+2+int64(e.DEKLen), "kms-v1 payload, ciphertext", decode.ErrTruncated)
	}
	return nil
}

func fitsCBC(payload []byte) bool {
	return len(payload) >= minCBC && len(payload)%blockSize == 0
}

func fitsKMSv1(payload []byte) bool {
	if len(payload) < 2 {
		return false
	}
	n := int(binary.BigEndian.Uint16(payload))
	return n > 0 && n <= len(payload)-2 && len(payload)-2-n >= minGCM
}
