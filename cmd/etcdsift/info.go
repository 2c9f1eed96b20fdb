package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/etcdsift/etcdsift/analyzer"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/reports"
)

func newInfo() *cobra.Command {
	var flags evidenceFlags
	cmd := &cobra.Command{
		Use:   "info PATH...",
		Short: "Tell facts on the evidence: kind, hashes, pages, revisions, members, versions",
		Long:  "Tells what the evidence is, without a verdict on it.\n" + exitHelp,
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			in, err := flags.interest(cmd)
			if err != nil {
				return err
			}
			write, err := reports.InfoFormats.ByName(flags.format)
			if err != nil {
				return fmt.Errorf("--format: %w", err)
			}
			r, err := answerTo(&flags, cmd, args, in, func(ctx context.Context, r *analyzer.Reading) (*report.Examined, error) { return r.Info(ctx) }, write)
			if err != nil {
				return err
			}
			return exit(r)
		},
	}
	flags.register(cmd, reports.InfoFormats.Names())
	return cmd
}
