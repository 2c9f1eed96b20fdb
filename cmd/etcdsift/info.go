package main

import (
	"fmt"

	"github.com/spf13/cobra"

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
			o, err := flags.options(cmd)
			if err != nil {
				return err
			}
			format, err := reports.InfoByName(flags.format)
			if err != nil {
				return fmt.Errorf("--format: %w", err)
			}
			o.AllowEmpty = true
			return flags.report(cmd, args, o, format)
		},
	}
	flags.register(cmd, reports.InfoFormats)
	return cmd
}
