package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/etcdsift/etcdsift/analyzer"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode/resource"
	"github.com/etcdsift/etcdsift/reports"
)

func newList() *cobra.Command {
	var (
		flags     evidenceFlags
		config    encryptionFlags
		resources []string
	)
	cmd := &cobra.Command{
		Use:   "list PATH...",
		Short: "List every live value: key, provider, key name, encoding, size, revisions",
		Long: `Lists the newest value of every live key, in the order of the keys. It does not
fail on findings.
` + exitHelp,
		Example: `  etcdsift list snapshot.db
  etcdsift list --format jsonl --resources secrets snapshot.db | jq -r .provider | sort | uniq -c`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			in, err := flags.interest(cmd)
			if err != nil {
				return err
			}
			only, err := resourcesFlag(resources)
			if err != nil {
				return err
			}
			begin, err := reports.ListFormats.ByName(flags.format)
			if err != nil {
				return fmt.Errorf("--format: %w", err)
			}
			if err = config.load(cmd.Context(), &in, &flags.inputs); err != nil {
				return err
			}
			found, err := flags.open(cmd, args)
			if err != nil {
				return err
			}
			defer found.Close()
			listed := 0 // this counts here, whatever is in scope
			var r *report.Examined
			err = flags.write(cmd, false, func(w io.Writer) (err error) {
				list := begin(w)
				each := func(v report.Value) error {
					if only != nil && !slices.ContainsFunc(only, func(only resource.GroupResource) bool { return v.Resource == report.Text(only.String()) }) {
						return nil
					}
					listed++
					return list.Value(v)
				}
				r, err = examine(&flags, cmd, found, in, func(ctx context.Context, r *analyzer.Reading) (*report.Examined, error) { return r.Values(ctx, each) })
				if err != nil {
					return err
				}
				return list.Close()
			})
			if err != nil {
				return err
			}
			tellDamage(cmd.ErrOrStderr(), r)
			if listed == 0 && !flags.allowEmpty && r.Verdict.ExitStatus < report.ExitNotEvidence {
				return &statusError{report.ExitNotEvidence, []error{nothingListed(resources)}}
			}
			return exit(r)
		},
	}
	flags.register(cmd, reports.ListFormats.Names())
	config.register(cmd)
	flags.registerEmpty(cmd)
	cmd.Flags().StringSliceVar(&resources, "resources", nil, "list these resources only, such as secrets")
	return cmd
}

// nothingListed says that there is no value of the resources.
func nothingListed(resources []string) error {
	what := ""
	if len(resources) > 0 {
		what = " of " + strings.Join(resources, ", ")
	}
	return fmt.Errorf("there is no live value%s in this evidence (--allow-empty makes this exit status 0)", what)
}

// tellDamage says on stderr what the format of list has no place for.
func tellDamage(w io.Writer, r *report.Examined) {
	for _, d := range r.Coverage.Damage {
		complain(w, fmt.Sprintf("%s: %s at offset %#x", d.Path, d.What, d.Offset))
	}
	if r.Coverage.DamageMore > 0 {
		complain(w, fmt.Sprintf("and %d more places", r.Coverage.DamageMore))
	}
	for _, e := range r.Evidence {
		if e.Live {
			complain(w, fmt.Sprintf("%s is live: %s", e.Path, e.Lock))
		}
		if e.Changed != "" {
			complain(w, fmt.Sprintf("%s changed while it was read: %s", e.Path, e.Changed))
		}
	}
}
