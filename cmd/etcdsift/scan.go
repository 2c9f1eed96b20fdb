package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/etcdsift/etcdsift/analyzer"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/reports"
)

func newScan() *cobra.Command {
	var (
		flags     evidenceFlags
		config    encryptionFlags
		resources []string
		failOn    string
	)
	cmd := &cobra.Command{
		Use:   "scan PATH...",
		Short: "Name the Secrets that can be read from the evidence",
		Long: `Reads each PATH (a snapshot, a db file, an etcd data dir or a WAL segment), and names
the objects in scope of which a plaintext copy is anywhere in it: in the newest
value, in an older revision, on a free page, in what is left of an overwritten
value, or in the WAL. PATHs that share an etcd member are taken for evidence of one
cluster.
` + exitHelp,
		Example: `  etcdsift scan snapshot.db
  etcdsift scan --format json --output report.json /var/lib/etcd
  etcdsift scan --resources secrets,configmaps,vaults.lab.example.com snapshot.db`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			in, err := flags.interest(cmd)
			if err != nil {
				return err
			}
			write, err := reports.ScanFormats.ByName(flags.format)
			if err != nil {
				return fmt.Errorf("--format: %w", err)
			}
			o := analyzer.ScanOptions{AllowEmpty: flags.allowEmpty}
			if o.FailOn, err = report.ParseSeverity(failOn); err != nil {
				return fmt.Errorf("--fail-on: %w", err)
			}
			if cmd.Flags().Changed("resources") {
				if in.Resources, err = resourcesFlag(resources); err != nil {
					return err
				}
			}
			if err = config.load(cmd.Context(), &in, &flags.inputs); err != nil {
				return err
			}
			r, err := answerTo(&flags, cmd, args, in, func(ctx context.Context, r *analyzer.Reading) (*report.Report, error) { return r.Scan(ctx, o) }, write)
			if err != nil {
				return err
			}
			return exit(&r.Examined)
		},
	}
	flags.register(cmd, reports.ScanFormats.Names())
	config.register(cmd)
	flags.registerEmpty(cmd)
	cmd.Flags().StringSliceVar(&resources, "resources", []string{"secrets"},
		"what the verdict is about, as an EncryptionConfiguration names it; with\n--encryption-config, unless given, all that it encrypts, too")
	cmd.Flags().BoolVar(&flags.secondWitness, "second-witness", false,
		`have bbolt, the library that wrote them, read each db and snapshot too, and
compare the records and its check. It reads a private copy, in a process with
bounds on memory (hard ones on Linux alone) and time: TMPDIR needs room for the
largest file. No other result than that it agrees lets the run be complete (4)`)
	cmd.Flags().StringVar(&failOn, "fail-on", "high", "least severity that makes the exit status 1: "+strings.Join(report.SeverityNames(), ", "))
	_ = cmd.RegisterFlagCompletionFunc("fail-on", cobra.FixedCompletions(report.SeverityNames(), cobra.ShellCompDirectiveNoFileComp))
	return cmd
}
