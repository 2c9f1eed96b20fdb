package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/etcdsift/etcdsift/analyzer"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/reports"
)

func newHistory() *cobra.Command {
	var (
		flags  evidenceFlags
		config encryptionFlags
	)
	cmd := &cobra.Command{
		Use:   "history PATH... KEY",
		Short: "List every copy of one key wherever it was seen, oldest first",
		Long: `Lists every write of a key of which a copy was seen, the oldest first: in the tree,
on free pages, in pieces, and in the WAL, with what it was encrypted with and where
it lies. It answers when an object was last written in plaintext, and where that
still lies. It does not fail on findings.
` + exitHelp,
		Example: `  etcdsift history /var/lib/etcd /registry/secrets/payments/db
  etcdsift history --format json old.db new.db /registry/secrets/payments/db`,
		Args: cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			in, err := flags.interest(cmd)
			if err != nil {
				return err
			}
			write, err := reports.HistoryFormats.ByName(flags.format)
			if err != nil {
				return fmt.Errorf("--format: %w", err)
			}
			last := len(args) - 1
			if in.Key, err = keyArg(args[last]); err != nil {
				return err
			}
			if err = config.load(cmd.Context(), &in, &flags.inputs); err != nil {
				return err
			}
			r, err := answerTo(&flags, cmd, args[:last], in, askHistory, write)
			if err != nil {
				return err
			}
			return exit(&r.Examined)
		},
	}
	flags.register(cmd, reports.HistoryFormats.Names())
	config.register(cmd)
	return cmd
}

// askHistory asks for every copy of the key that the interest names.
func askHistory(ctx context.Context, r *analyzer.Reading) (*report.HistoryReport, error) {
	return r.History(ctx)
}

// keyArg reads KEY.
func keyArg(arg string) (report.Text, error) {
	if strings.TrimSpace(arg) == "" {
		return "", errors.New("KEY: must be an etcd key, such as /registry/secrets/payments/db")
	}
	return report.Text(arg), nil
}
