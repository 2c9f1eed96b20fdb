package wal

import (
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"math"
	"time"

	"go.etcd.io/etcd/server/v3/storage/wal"
	"go.etcd.io/etcd/server/v3/storage/wal/walpb"

	"github.com/etcdsift/etcdsift/decode"
	"github.com/etcdsift/etcdsift/decode/internal/raw"
)

const (
	lengthSize = 8
	// maxFrame bounds one frame in memory. etcd takes requests of 1.5 MiB unless told
	// otherwise, and its clients can send at most 512 MiB.
	maxFrame = 512 << 20
	// sector is the unit in which etcd writes the log: a write that a crash ended has zeros
	// in some sectors.
	sector = 512
)

// frameSize takes apart the length at the start of a frame. It is false for one that etcd
// does not write. etcd 2.0 to 2.2 wrote frames without padding: their top byte is 0, and where the
// record is not a multiple of 8 long, the next frame starts in the middle of a word.
//
// Source: encodeFrameSize in storage/wal/encoder.go, and wal/encoder.go of etcd 2.2.
func frameSize(length []byte) (record, padding int64, ok bool) {
	l := binary.LittleEndian.Uint64(length)
	record = int64(l &^ (0xff << 56))
	top := byte(l >> 56)
	padding = (8 - record%8) % 8
	if top == 0 {
		padding = 0
	} else if padding == 0 || top != 0x80|byte(padding) {
		return record, padding, false
	}
	return record, padding, record > 0 && record <= maxFrame
}

// A frameDecoder is etcd's own decoder, which gets one frame at a time: it trusts
// lengths, and gives up at a frame that does not parse.
type frameDecoder struct {
	wal.Decoder
	frame  []byte // what the decoder has not read yet
	record walpb.Record
}

func newFrameDecoder() *frameDecoder {
	d := &frameDecoder{}
	d.Decoder = wal.NewDecoderAdvanced(true, d)
	return d
}

// Read passes the frame on.
func (d *frameDecoder) Read(b []byte) (int, error) {
	n := copy(b, d.frame)
	d.frame = d.frame[n:]
	if n == 0 {
		return 0, io.ErrUnexpectedEOF
	}
	return n, nil
}

// FileInfo says that no frame is too long: lengths are checked here.
func (d *frameDecoder) FileInfo() (fs.FileInfo, error) { return frameInfo{}, nil }

type frameInfo struct{}

func (frameInfo) Name() string       { return "segment" }
func (frameInfo) Size() int64        { return math.MaxInt64 }
func (frameInfo) Mode() fs.FileMode  { return 0o400 }
func (frameInfo) ModTime() time.Time { return time.Time{} }
func (frameInfo) IsDir() bool        { return false }
func (frameInfo) Sys() any           { return nil }

// decode decodes a whole frame. The error is decode.ErrChecksum for a decoded record that has
// another CRC, and decode.ErrValue for bytes that are not a record.
func (d *frameDecoder) decode(frame []byte) error {
	d.frame = frame
	err := d.Decode(&d.record)
	kind := d.record.GetType()
	switch {
	case errors.Is(err, walpb.ErrCRCMismatch), errors.Is(err, io.ErrUnexpectedEOF) && kind != 0:
		err = decode.ErrChecksum
	case err != nil:
		err = decode.ErrValue
	}
	if kind < int64(KindMetadata) || kind > int64(KindSnapshot) {
		err = decode.ErrValue
	}
	return err
}

// isTorn reports whether a sector of the frame at file offset off is zeros: etcd's decoder
// tells an unfinished write by that.
//
// Source: decoder.isTornEntry in storage/wal/decoder.go.
func isTorn(frame []byte, off int64) bool {
	pos := off + lengthSize
	for b := frame[min(lengthSize, len(frame)):]; len(b) > 0; {
		n := min(len(b), int(sector-pos%sector))
		if raw.IsZero(b[:n]) {
			return true
		}
		b, pos = b[n:], pos+int64(n)
	}
	return false
}
