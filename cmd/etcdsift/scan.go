package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/etcdsift/etcdsift/analyzer"
	"github.com/etcdsift/etcdsift/reports"
)

func newScan() *cobra.Command {
	var (
		flags     evidenceFlags
		resources []string
		failOn    string
	)
	cmd := &cobra.Command{
		Use:   "scan PATH...",
		Short: "Name the Secrets that can be read from the evidence",
		Long: `Reads each PATH (a snapshot, a db file or an etcd data dir), classifies the newest
value of every key, and names those in scope that are not encrypted. PATHs that
share an etcd member are taken for evidence of one cluster.
` + exitHelp,
		Example: `  etcdsift scan snapshot.db
  etcdsift scan --format json --output report.json /var/lib/etcd
  etcdsift scan --resources secrets,configmaps,vaults.lab.example.com snapshot.db`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := flags.options(cmd)
			if err != nil {
				return err
			}
			format, err := reports.ByName(flags.format)
			if err != nil {
				return fmt.Errorf("--format: %w", err)
			}
			if o.FailOn, err = analyzer.ParseSeverity(failOn); err != nil {
				return fmt.Errorf("--fail-on: %w", err)
			}
			if o.Resources, err = resourcesFlag(resources); err != nil {
				return err
			}
			return flags.report(cmd, args, o, format)
		},
	}
	flags.register(cmd, reports.ScanFormats)
	cmd.Flags().StringSliceVar(&resources, "resources", []string{"secrets"},
		"what the verdict is about, as an EncryptionConfiguration names it")
	cmd.Flags().StringVar(&failOn, "fail-on", "high", "least severity that makes the exit status 1: none, low, medium, high, critical")
	_ = cmd.RegisterFlagCompletionFunc("fail-on", cobra.FixedCompletions(
		[]string{"none", "low", "medium", "high", "critical"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// report examines the evidence and writes the report on it. The error carries the
// exit status.
func (f *evidenceFlags) report(cmd *cobra.Command, paths []string, o analyzer.Options, format reports.Format) error {
	if err := apart(f.output, paths); err != nil {
		return err
	}
	var r *analyzer.Report
	err := writeOutput(cmd.OutOrStdout(), f.output, func(w io.Writer) (err error) {
		if r, err = examine(cmd, paths, o); err != nil {
			return err
		}
		return format.Write(w, r)
	})
	if err != nil {
		return err
	}
	return exit(r)
}

// examine opens the evidence, runs the analysis and closes the evidence.
func examine(cmd *cobra.Command, paths []string, o analyzer.Options) (*analyzer.Report, error) {
	found, err := openEvidence(paths)
	if err != nil {
		return nil, err
	}
	defer found.close()
	for _, n := range found.notEvidence {
		complain(cmd.ErrOrStderr(), string(n.Path)+": "+n.What)
	}
	o.NotExamined, o.NotEvidence = found.notExamined, found.notEvidence
	bar := newProgress(cmd.ErrOrStderr(), found.sources)
	o.Progress = bar.update
	report, err := analyzer.Run(cmd.Context(), found.sources, o)
	bar.finish()
	if err != nil {
		return nil, &statusError{analyzer.ExitUsage, []error{runError(cmd.Context(), err)}}
	}
	return report, nil
}

// exit is the error that carries the report's exit status, nil for 0.
func exit(r *analyzer.Report) error {
	if r.Verdict.ExitStatus == 0 {
		return nil
	}
	return &statusError{status: r.Verdict.ExitStatus}
}
