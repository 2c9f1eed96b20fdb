package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/etcdsift/etcdsift/analyzer/evidence"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/analyzer/witness"
)

// witnessCommand is what this program starts itself with for the second witness.
const witnessCommand = "second-witness-child"

// newWitness is for analyzer.Interest.Witness. The error says why it cannot copy the sources.
func newWitness(stderr io.Writer, sources []evidence.Source, in *inputs) (
	func(context.Context, evidence.Source, string) (*report.SecondWitness, error), error) {
	w, err := witness.New(witnessCommand)
	if err != nil {
		return nil, err
	}
	// Making the copy changes its dir for a moment.
	copies := in.above
	if os.Getenv("TMPDIR") != "" {
		copies = in.holds // who chooses a place chooses another one
	}
	if what := copies(w.Copies()); what != "" {
		return nil, fmt.Errorf("--second-witness: the private copy would lie in %s: set TMPDIR to another dir", what)
	}
	if err := w.Check(sources); err != nil {
		return nil, fmt.Errorf("--second-witness: %w", err)
	}
	if !slices.ContainsFunc(sources, func(s evidence.Source) bool { return s.HasTree() }) {
		complain(stderr, "warning: --second-witness: no db and no snapshot among the evidence, which is all that bbolt reads")
	}
	return w.Examine, nil
}

// newWitnessChild is the command that only this program calls.
func newWitnessChild() *cobra.Command {
	return &cobra.Command{
		Use:    witnessCommand,
		Short:  "Read a copy of a db with bbolt, for scan --second-witness",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if status := witness.Serve(cmd.InOrStdin(), cmd.OutOrStdout()); status != 0 {
				return &statusError{status: status}
			}
			return nil
		},
	}
}
