package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/etcdsift/etcdsift/analyzer"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/reports"
)

func newKeys() *cobra.Command {
	var (
		flags  evidenceFlags
		config encryptionFlags
		retire []string
	)
	cmd := &cobra.Command{
		Use:   "keys PATH...",
		Short: "Which encryption keys are still needed, and may one be dropped?",
		Long: `Lists every key of a provider, and every KMS key ID, that a value in the evidence
needs: newest values, older revisions, residue outside of the tree, and the WAL. A key
without newest values is not needed to run the cluster from this evidence, but to read
what is left of the past.

--retire PROVIDER:NAME answers whether that key may be dropped: exit status 0 if no
newest value needs it, else 1 with the etcd keys that do. A KMS key ID is spelt as
the list has it. A key that neither a value nor a configuration names was not
checked: exit status 2, as it may be misspelt.
` + exitHelp,
		Example: `  etcdsift keys snapshot.db
  etcdsift keys --encryption-config encryption.yaml /var/lib/etcd
  etcdsift keys --retire aescbc:key1,aescbc:key2 snapshot.db
  etcdsift keys --retire 'kms-v2:vault (kek-1)' snapshot.db`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			in, err := flags.interest(cmd)
			if err != nil {
				return err
			}
			write, err := reports.KeysFormats.ByName(flags.format)
			if err != nil {
				return fmt.Errorf("--format: %w", err)
			}
			in.Keys = true
			o := analyzer.KeysOptions{Label: reports.KeyLabel}
			if cmd.Flags().Changed("retire") {
				for _, keys := range retire {
					if err := analyzer.CheckRetire(keys); err != nil {
						return fmt.Errorf("--retire: %w", err)
					}
				}
				o.Retire = retire
			}
			if err = config.load(cmd.Context(), &in, &flags.inputs); err != nil {
				return err
			}
			r, err := answerTo(&flags, cmd, args, in, func(ctx context.Context, r *analyzer.Reading) (*report.KeysReport, error) { return r.Keys(ctx, o) }, write)
			if err != nil {
				return err
			}
			tellRetire(cmd.ErrOrStderr(), r.Retire)
			return exit(&r.Examined)
		},
	}
	flags.register(cmd, reports.KeysFormats.Names())
	config.register(cmd)
	cmd.Flags().StringArrayVar(&retire, "retire", nil,
		"may this key be dropped? PROVIDER:NAME, such as aescbc:key1, or a list with\ncommas; may be given more than once")
	return cmd
}

// tellRetire says on stderr which of the keys to retire were not seen.
func tellRetire(stderr io.Writer, retire []report.Retirement) {
	for _, t := range retire {
		switch {
		case t.Answer == report.RetireUnseen:
			fmt.Fprintf(stderr, "etcdsift: --retire %s\n", reports.Unseen(t)) // escaped already
		case t.Answer == report.RetireUnknown && !t.Seen:
			complain(stderr, fmt.Sprintf("warning: --retire %s: no value that was read names it: is it spelt right?", t.Key))
		}
	}
}
