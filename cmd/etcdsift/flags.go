package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/etcdsift/etcdsift/analyzer"
	"github.com/etcdsift/etcdsift/decode/object"
)

// evidenceFlags are those of every command that reads evidence.
type evidenceFlags struct {
	format   string
	output   string
	prefixes []string
	noWAL    bool

	secondWitness bool // of scan

	inputs inputs // what the run reads, as far as it is known
}

func (f *evidenceFlags) register(cmd *cobra.Command, formats []string) {
	cmd.Flags().StringVar(&f.format, "format", formats[0], "one of "+strings.Join(formats, ", "))
	cmd.Flags().StringVarP(&f.output, "output", "o", "", "write to this file instead of standard output")
	cmd.Flags().StringSliceVar(&f.prefixes, "prefix", nil,
		"the API server's --etcd-prefix (default: those that are found, such as /registry)")
	cmd.Flags().BoolVar(&f.noWAL, "no-wal", false, "leave the WAL out: the report says that it was not examined")
	_ = cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(formats, cobra.ShellCompDirectiveNoFileComp))
}

// options are the run's options, as far as these flags say.
func (f *evidenceFlags) options(cmd *cobra.Command) (analyzer.Options, error) {
	if cmd.Flags().Changed("prefix") && (len(f.prefixes) == 0 || slices.Contains(f.prefixes, "")) {
		return analyzer.Options{}, errors.New("--prefix: must name a prefix such as /registry, or / for the root")
	}
	return analyzer.Options{Tool: tool(), Prefixes: f.prefixes}, nil
}

// resourcesFlag reads --resources.
func resourcesFlag(names []string) ([]object.GroupResource, error) {
	if names != nil && len(names) == 0 {
		return nil, errors.New("--resources: must name a resource such as secrets")
	}
	var resources []object.GroupResource
	for _, name := range names {
		r, err := object.ParseGroupResource(name)
		if err != nil {
			return nil, fmt.Errorf("--resources: %w", err)
		}
		if !slices.Contains(resources, r) {
			resources = append(resources, r)
		}
	}
	return resources, nil
}
