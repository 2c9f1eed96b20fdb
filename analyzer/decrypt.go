package analyzer

import (
	"context"
	"errors"

	"github.com/etcdsift/etcdsift/analyzer/encryption"
	"github.com/etcdsift/etcdsift/analyzer/internal/keys"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode/object"
	"github.com/etcdsift/etcdsift/decode/resource"
)

// Decrypt opens a value of the etcd key of an object with the keys that a configuration
// has for its resource, else with any of the same name. The caller clears what it gets.
// The error is for the user, and holds no byte of the value.
func Decrypt(ctx context.Context, config *encryption.Config, r resource.GroupResource, key report.Text, value []byte) ([]byte, error) {
	keys := keys.ConfiguredFor(config, resource.Identity{GroupResource: r}).Match(value)
	if len(keys) == 0 {
		keys = config.Match(value)
	}
	last := errors.New("the configuration has no key of that name")
	for _, k := range keys {
		opened, err := k.Open(ctx, value, []byte(key))
		if err == nil && !opened.Unsure {
			return opened.Plain, nil
		}
		if err == nil {
			if _, err = object.ParseName(opened.Plain, 0); err == nil {
				return opened.Plain, nil
			}
			clear(opened.Plain)
			err = encryption.ErrClosed
		}
		last = err
	}
	return nil, last
}
