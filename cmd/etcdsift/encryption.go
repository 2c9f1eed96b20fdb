package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"k8s.io/klog/v2"

	"github.com/etcdsift/etcdsift/decode/encryption"
)

// encryptionFlags are those of every command that holds values against an
// EncryptionConfiguration.
type encryptionFlags struct {
	file string
	kms  bool
}

func (f *encryptionFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.file, "encryption-config", "",
		"the API server's EncryptionConfiguration: what it says of each value, and whether its keys open it")
	cmd.Flags().BoolVar(&f.kms, "kms", false,
		"call the KMS plugins at the unix sockets that the configuration names; never without this flag")
	_ = cmd.MarkFlagFilename("encryption-config", "yaml", "yml", "json")
}

// config reads the configuration; nil without one. KMS plugins stay connected until ctx
// is done.
func (f *encryptionFlags) config(ctx context.Context, in *inputs) (*encryption.Config, error) {
	if f.file == "" {
		if f.kms {
			return nil, errors.New("--kms: needs --encryption-config, which names the sockets")
		}
		return nil, nil
	}
	b, err := readConfig(f.file, in)
	if err != nil {
		return nil, fmt.Errorf("--encryption-config %s: %w", f.file, err)
	}
	defer clear(b)
	config, err := encryption.Parse(b)
	if err != nil {
		return nil, each(err, "--encryption-config "+f.file)
	}
	if !f.kms {
		return config, nil
	}
	if configured, _ := config.KMS(); !configured {
		return nil, fmt.Errorf("--kms: no provider in %s is a KMS", f.file)
	}
	// The API server's KMS clients log what they meet on standard error by themselves.
	klog.SetLogger(logr.Discard())
	if err := config.OpenKMS(ctx); err != nil {
		return nil, each(err, "--kms")
	}
	return config, nil
}

// readConfig reads a file that is no larger than a configuration may be, and adds it to the
// inputs of the run. It may be a FIFO, such as that of the shell's <(...).
func readConfig(path string, in *inputs) ([]byte, error) {
	open := openReadOnly
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		open = os.Open // which waits for who writes into a FIFO
	}
	f, err := open(path)
	if err != nil {
		return nil, cause(err)
	}
	defer f.Close()
	if err := in.addFile("the EncryptionConfiguration "+path, f); err != nil {
		return nil, cause(err)
	}
	b, err := io.ReadAll(io.LimitReader(f, encryption.MaxFile+1))
	if err != nil {
		return nil, cause(err)
	}
	return b, nil
}

// each puts the same words before each line of an error.
func each(err error, before string) error {
	var errs []error
	for line := range strings.Lines(err.Error()) {
		errs = append(errs, fmt.Errorf("%s: %s", before, strings.TrimSpace(line)))
	}
	return errors.Join(errs...)
}
