package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/etcdsift/etcdsift/analyzer"
	"github.com/etcdsift/etcdsift/reports"
)

func newKeys() *cobra.Command {
	var (
		flags  evidenceFlags
		config encryptionFlags
		retire string
	)
	cmd := &cobra.Command{
		Use:   "keys PATH...",
		Short: "Which encryption keys are still needed, and may one be dropped?",
		Long: `Lists every key of a provider, and every KMS key ID, that a value in the evidence
needs: newest values, older revisions, residue outside of the tree, and the WAL. A key
without newest values is not needed to run the cluster from this evidence, but to read
what is left of the past.

--retire PROVIDER:NAME answers whether that key may be dropped: exit status 0 if no
newest value needs it, else 1 with the etcd keys that do.
` + exitHelp,
		Example: `  etcdsift keys snapshot.db
  etcdsift keys --encryption-config encryption.yaml /var/lib/etcd
  etcdsift keys --retire aescbc:key1 snapshot.db`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := flags.options(cmd)
			if err != nil {
				return err
			}
			format, err := reports.KeysByName(flags.format)
			if err != nil {
				return fmt.Errorf("--format: %w", err)
			}
			o.Keys, o.FailOn, o.AllowEmpty = true, analyzer.SeverityNone, true
			if cmd.Flags().Changed("retire") {
				name, err := analyzer.ParseKeyName(retire)
				if err != nil {
					return fmt.Errorf("--retire: %w", err)
				}
				o.Retire = &name
			}
			if o.Encryption, err = config.config(cmd.Context(), &flags.inputs); err != nil {
				return err
			}
			return flags.report(cmd, args, o, format)
		},
	}
	flags.register(cmd, reports.KeysFormats)
	config.register(cmd)
	cmd.Flags().StringVar(&retire, "retire", "", "may this key be dropped? PROVIDER:NAME, such as aescbc:key1")
	return cmd
}
