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

	"github.com/etcdsift/etcdsift/analyzer"
	"github.com/etcdsift/etcdsift/analyzer/encryption"
	"github.com/etcdsift/etcdsift/analyzer/evidence"
	"github.com/etcdsift/etcdsift/analyzer/report"
)

// encryptionFlags are those of every command that uses an EncryptionConfiguration.
type encryptionFlags struct {
	files []string
	kms   bool
}

func (f *encryptionFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&f.files, "encryption-config", nil,
		`the API server's EncryptionConfiguration: what it says of each value, and whether its
keys open it. Give it once for each file, where API servers have one each`)
	cmd.Flags().BoolVar(&f.kms, "kms", false,
		"call the KMS plugins at the unix sockets that the configuration names; never without this flag")
	_ = cmd.MarkFlagFilename("encryption-config", "yaml", "yml", "json")
}

// load reads the configurations into the interest of the run.
func (f *encryptionFlags) load(ctx context.Context, in *analyzer.Interest, inputs *inputs) (err error) {
	if in.Encryption, err = f.config(ctx, inputs); err != nil || in.Encryption == nil {
		return err
	}
	for i, sum := range in.Encryption.Sums() {
		in.Run.Configurations = append(in.Run.Configurations, report.Configuration{Path: report.Text(f.files[i]), SHA256: sum})
	}
	return nil
}

// config reads the configurations; nil without one, and adds them to the inputs of the run.
// KMS plugins stay connected until ctx is done.
func (f *encryptionFlags) config(ctx context.Context, in *inputs) (*encryption.Config, error) {
	if len(f.files) == 0 {
		if f.kms {
			return nil, errors.New("--kms: needs --encryption-config, which names the sockets")
		}
		return nil, nil
	}
	config := &encryption.Config{}
	for _, file := range f.files {
		name := file
		if len(f.files) == 1 {
			name = "" // one file: findings need not name it
		}
		if err := addConfig(config, name, file, in); err != nil {
			return nil, err
		}
	}
	if !f.kms {
		return config, nil
	}
	if configured, _ := config.KMS(); !configured {
		return nil, fmt.Errorf("--kms: no provider in %s is a KMS", strings.Join(f.files, ", "))
	}
	// The API server's KMS clients log what they meet on standard error by themselves.
	klog.SetLogger(logr.Discard())
	if err := config.OpenKMS(ctx); err != nil {
		return nil, each(err, "--kms")
	}
	return config, nil
}

// addConfig reads the configuration in file, and adds it under that name.
func addConfig(config *encryption.Config, name, file string, in *inputs) error {
	b, err := readConfig(file, in)
	if err != nil {
		return fmt.Errorf("--encryption-config %s: %w", file, err)
	}
	defer clear(b)
	return each(config.Add(name, b), "--encryption-config "+file)
}

// readConfig reads a file that is no larger than a configuration may be, and adds it to the
// inputs of the run. It may be a FIFO, such as that of the shell's <(...).
func readConfig(path string, in *inputs) ([]byte, error) {
	open := evidence.OpenReadOnly
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		open = os.Open // it waits for a writer of the FIFO
	}
	f, err := open(path)
	if err != nil {
		return nil, evidence.Cause(err)
	}
	defer f.Close()
	if err := in.addFile("the EncryptionConfiguration "+path, f); err != nil {
		return nil, evidence.Cause(err)
	}
	b, err := io.ReadAll(io.LimitReader(f, encryption.MaxFile+1))
	if err != nil {
		return nil, evidence.Cause(err)
	}
	return b, nil
}

// each puts the same words before each line of an error; nil for nil.
func each(err error, before string) error {
	if err == nil {
		return nil
	}
	var errs []error
	for line := range strings.Lines(err.Error()) {
		errs = append(errs, fmt.Errorf("%s: %s", before, strings.TrimSpace(line)))
	}
	return errors.Join(errs...)
}
