package wal

import (
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/etcdsift/etcdsift/decode"
	"github.com/etcdsift/etcdsift/decode/internal/wire"
)

// decode fills in what the record's data say. They stand at file offset off.
func (r *Record) decode(data []byte, off int64) error {
	switch r.Kind {
	case KindMetadata:
		return numbers(data, off, func(num protowire.Number, v uint64) {
			switch num {
			case 1:
				r.Metadata.NodeID = ID(v)
			case 2:
				r.Metadata.ClusterID = ID(v)
			}
		})
	case KindState:
		return numbers(data, off, func(num protowire.Number, v uint64) {
			switch num {
			case 1:
				r.State.Term = Term(v)
			case 2:
				r.State.Vote = ID(v)
			case 3:
				r.State.Commit = Index(v)
			}
		})
	case KindSnapshot:
		return numbers(data, off, func(num protowire.Number, v uint64) {
			switch num {
			case 1:
				r.Snapshot.Index = Index(v)
			case 2:
				r.Snapshot.Term = Term(v)
			}
		})
	case KindEntry, KindTorn:
		return r.Entry.decode(data, off)
	}
	return nil
}

// numbers calls f for each varint of a message.
func numbers(b []byte, off int64, f func(protowire.Number, uint64)) error {
	return fields(b, off, func(field wire.Field, _ int64, _ error) error {
		if field.Type == protowire.VarintType {
			f(field.Num, field.Varint)
		}
		return nil
	})
}

// decode reads the message raftpb.Entry: 1 type, 2 term, 3 index, 4 data.
func (e *Entry) decode(b []byte, off int64) error {
	var cutErr error
	err := fields(b, off, func(f wire.Field, off int64, cut error) error {
		switch {
		case f.Is(1, protowire.VarintType):
			e.Type = EntryType(min(f.Varint, 255))
		case f.Is(2, protowire.VarintType):
			e.Term = Term(f.Varint)
		case f.Is(3, protowire.VarintType):
			e.Index = Index(f.Varint)
		case f.Is(4, protowire.BytesType):
			e.Data, e.DataOff, cutErr = f.Bytes, off, cut
		}
		return nil
	})
	if e.Type != EntryNormal {
		return err
	}
	var opErr error
	e.Ops, opErr = parseRequest(e.Data, e.DataOff)
	if err == nil && cutErr == nil {
		err = opErr
	}
	return err
}

// recordData finds the data in a record's bytes: walpb.Record has them in field 3. It also
// tells the type, as far as that is there.
func recordData(b []byte) (kind Kind, data []byte, at int) {
	for pos := 0; pos < len(b); {
		f, err := wire.Next(b[pos:])
		if err != nil && err != decode.ErrTruncated || f.Size == 0 {
			break
		}
		pos += f.Size
		switch {
		case f.Is(1, protowire.VarintType) && f.Varint <= uint64(KindSnapshot):
			kind = Kind(f.Varint)
		case f.Is(3, protowire.BytesType):
			data, at = f.Bytes, pos-len(f.Bytes)
		}
	}
	return kind, data, at
}
