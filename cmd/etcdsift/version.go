package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/etcdsift/etcdsift/analyzer/report"
)

// version is the release that this source is, or will be.
const version = "v0.1.0"

func tool() report.Tool { return report.Tool{Name: "etcdsift", Version: version, Commit: commit()} }

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			from := ""
			if c := commit(); c != "" {
				from = ", commit " + c
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "etcdsift %s%s (%s, %s/%s)\n",
				version, from, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return outputError("standard output", err)
		},
	}
}

// commit names the commit that the program comes from; empty if the build does not know.
func commit() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	revision := settings["vcs.revision"]
	if revision == "" {
		return ""
	}
	if settings["vcs.modified"] == "true" {
		revision += " with changes"
	}
	return revision
}
