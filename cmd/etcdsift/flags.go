package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/etcdsift/etcdsift/analyzer"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode/resource"
	"github.com/etcdsift/etcdsift/reports"
)

// evidenceFlags are those of every command that reads evidence.
type evidenceFlags struct {
	format   string
	formats  []string // that the command has
	output   string
	place    string // of the output, without links; set by open
	prefixes []string
	noWAL    bool
	paths    []string // that the user gave; set by open

	secondWitness bool // of scan
	allowEmpty    bool // of scan and list

	inputs inputs // what the run reads, as far as known
}

func (f *evidenceFlags) register(cmd *cobra.Command, formats []string) {
	f.formats = formats
	cmd.Flags().StringVar(&f.format, "format", formats[0], "one of "+strings.Join(formats, ", "))
	cmd.Flags().StringVarP(&f.output, "output", "o", "", "write to this file instead of standard output")
	cmd.Flags().StringSliceVar(&f.prefixes, "prefix", nil,
		"the API server's --etcd-prefix (default: those that are found, such as /registry)")
	cmd.Flags().BoolVar(&f.noWAL, "no-wal", false, "leave the WAL out: the report says that it was not examined")
	_ = cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(formats, cobra.ShellCompDirectiveNoFileComp))
}

func (f *evidenceFlags) registerEmpty(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.allowEmpty, "allow-empty", false,
		"evidence with nothing in scope is no exit status 3, such as that of a new cluster")
}

// otherFormats are what people ask other tools for with -o. Nobody gives a report such a name,
// or that of a format.
var otherFormats = []string{"csv", "html", "junit", "markdown", "md", "name", "sarif", "text", "txt", "wide", "yaml", "yml"}

// checkOutput refuses -o json, which means a format to users of kubectl, and would make a
// file of that name.
func checkOutput(output string, formats []string) error {
	known := slices.Concat(otherFormats, reports.ScanFormats.Names(), reports.InfoFormats.Names(), reports.ListFormats.Names(), reports.HistoryFormats.Names(), reports.KeysFormats.Names())
	name := strings.ToLower(output)
	switch {
	case slices.Contains(formats, name):
		return fmt.Errorf("--output %s: takes the name of a file; did you mean --format %s? (a file of that name is ./%s)", output, name, output)
	case slices.Contains(known, name):
		return fmt.Errorf("--output %s: takes the name of a file; --format takes one of %s (a file of that name is ./%s)",
			output, strings.Join(formats, ", "), output)
	}
	return nil
}

// interest is what the run is about, as far as these flags say.
func (f *evidenceFlags) interest(cmd *cobra.Command) (analyzer.Interest, error) {
	if err := checkOutput(f.output, f.formats); err != nil {
		return analyzer.Interest{}, err
	}
	if cmd.Flags().Changed("prefix") && (len(f.prefixes) == 0 || slices.Contains(f.prefixes, "")) {
		return analyzer.Interest{}, errors.New("--prefix: must name a prefix such as /registry, or / for the root")
	}
	return analyzer.Interest{Run: report.Run{Tool: tool(), NoWAL: f.noWAL}, Prefixes: f.prefixes}, nil
}

// resourcesFlag reads --resources.
func resourcesFlag(names []string) ([]resource.GroupResource, error) {
	if names != nil && len(names) == 0 {
		return nil, errors.New("--resources: must name a resource such as secrets")
	}
	var resources []resource.GroupResource
	for _, name := range names {
		r, err := resource.ParseGroupResource(name)
		if err != nil {
			return nil, fmt.Errorf("--resources: %w", err)
		}
		if !slices.Contains(resources, r) {
			resources = append(resources, r)
		}
	}
	return resources, nil
}
