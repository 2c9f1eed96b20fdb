package main

import (
	"errors"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

var errTwice = errors.New("given twice, and it takes one value: which of the two is meant?")

// A once is the value of a flag that takes one value. pflag keeps the last of several, so that
// the answer to a command line with two keys to retire would be for one and look like one for
// both.
type once struct {
	pflag.Value
	given bool
}

// Set implements pflag.Value. A switch may come again, but not with another value.
func (o *once) Set(s string) error {
	before := o.String()
	if o.given && o.Type() != "bool" {
		return errTwice
	}
	if err := o.Value.Set(s); err != nil {
		return err
	}
	if o.given && o.String() != before {
		return errTwice
	}
	o.given = true
	return nil
}

// refuseTwo makes a second value an error for each flag of the command and of those below
// it that takes one.
func refuseTwo(cmd *cobra.Command) {
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if _, several := f.Value.(pflag.SliceValue); !several {
			f.Value = &once{Value: f.Value}
		}
	})
	for _, below := range cmd.Commands() {
		refuseTwo(below)
	}
}
