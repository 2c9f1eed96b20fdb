package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/etcdsift/etcdsift/analyzer"
	"github.com/etcdsift/etcdsift/analyzer/encryption"
	"github.com/etcdsift/etcdsift/analyzer/evidence"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode/manifest"
	"github.com/etcdsift/etcdsift/decode/object"
	"github.com/etcdsift/etcdsift/decode/resource"
	"github.com/etcdsift/etcdsift/decode/v2store"
	"github.com/etcdsift/etcdsift/reports"
)

// showFlags are those of show.
type showFlags struct {
	evidenceFlags
	config   encryptionFlags
	revision int64
	copy     int
	reveal   bool
}

func newShow() *cobra.Command {
	var flags showFlags
	cmd := &cobra.Command{
		Use:   "show PATH... KEY",
		Short: "Show one object as YAML, redacted; --reveal prints its values",
		Long: `Shows the newest value of a key as YAML. All values in it are redacted to their length;
--reveal prints them as kubectl would. An encrypted one is decrypted with
--encryption-config. Older and carved copies are shown by their revision, or by the number
that "etcdsift history" gives them. It does not fail on findings.

Of a value that is no Kubernetes object it says what it is, such as "312 bytes of text";
--reveal adds its bytes, as a text of YAML or in base64. With "--format raw --reveal" the
bytes of any value go to a file or a pipe as they are, decrypted, and nothing else.
` + exitHelp,
		Example: `  etcdsift show snapshot.db /registry/secrets/payments/db
  etcdsift show --copy 3 /var/lib/etcd /registry/secrets/payments/db
  etcdsift show --reveal --encryption-config encryption.yaml snapshot.db /registry/secrets/payments/db`,
		Args: cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			last := len(args) - 1
			key, err := keyArg(args[last])
			if err != nil {
				return err
			}
			return flags.run(cmd, args[:last], key)
		},
	}
	flags.evidenceFlags.register(cmd, []string{"yaml", "raw"})
	flags.config.register(cmd)
	cmd.Flags().Int64Var(&flags.revision, "revision", 0, "show the value of this revision")
	cmd.Flags().IntVar(&flags.copy, "copy", 0, `show the copy of this number in "etcdsift history"`)
	cmd.Flags().BoolVar(&flags.reveal, "reveal", false, "print the values")
	cmd.MarkFlagsMutuallyExclusive("revision", "copy")
	return cmd
}

func (f *showFlags) run(cmd *cobra.Command, paths []string, key report.Text) error {
	in, err := f.interest(cmd)
	if err != nil {
		return err
	}
	switch f.format {
	case "yaml":
	case "raw":
		if err = f.checkRaw(cmd); err != nil {
			return err
		}
	default:
		return fmt.Errorf("--format %q: must be yaml or raw", f.format)
	}
	for _, n := range []struct {
		flag  string
		value int64
	}{{"revision", f.revision}, {"copy", int64(f.copy)}} {
		if cmd.Flags().Changed(n.flag) && n.value < 1 {
			return fmt.Errorf("--%s: must be 1 or more", n.flag)
		}
	}
	if err = f.config.load(cmd.Context(), &in, &f.inputs); err != nil {
		return err
	}
	found, err := f.open(cmd, paths)
	if err != nil {
		return err
	}
	defer found.Close()
	in.Key = key
	var r *report.HistoryReport
	err = f.write(cmd, f.reveal, func(w io.Writer) (err error) {
		if r, err = examine(&f.evidenceFlags, cmd, found, in, askHistory); err != nil {
			return err
		}
		err = f.show(cmd, w, found, &r.History, in.Encryption)
		var s *statusError
		if r.Coverage.Unread() && errors.As(err, &s) {
			// Absent and unreadable are two answers.
			s.status = report.ExitIncomplete
			s.errs = append(s.errs, errors.New("parts of this evidence are damaged or could not be read: there may be more"))
		}
		return err
	})
	if err != nil {
		return err
	}
	tellDamage(cmd.ErrOrStderr(), &r.Examined)
	return exit(&r.Examined)
}

// show prints the copy that the user asked for.
func (f *showFlags) show(cmd *cobra.Command, w io.Writer, found *evidence.Set, h *report.History, config *encryption.Config) error {
	n, err := f.choose(h)
	if err != nil {
		return usage(err)
	}
	c := h.Copies[n]
	value, err := found.ReadCopy(c.Copy)
	if err != nil {
		return &statusError{report.ExitIncomplete, []error{err}}
	}
	if c.Escaped {
		value = v2store.Unescape(value)
	}
	value = v2store.Plain(value)
	if !c.Plaintext() {
		if f.format != "raw" && !analyzer.Opens(value) { // no key does
			return f.showBytes(cmd, w, h, n, value)
		}
		if value, err = decrypt(cmd.Context(), config, h, c, value); err != nil {
			return usage(fmt.Errorf("copy %d of %s: %w", n+1, h.Key, err))
		}
	}
	defer clear(value)
	if f.format == "raw" {
		f.warn(cmd, h)
		_, err = w.Write(value)
		return err
	}
	whole, err := manifest.Parse(value, c.Offset)
	if !isObject(whole, err) {
		return f.showBytes(cmd, w, h, n, value)
	}
	if err != nil {
		complain(cmd.ErrOrStderr(), fmt.Sprintf("copy %d of %s is damaged or cut: what could be read of it is shown", n+1, h.Key))
	} else if t, _ := object.ParseType(value, 0); !manifest.KnownKind(t) {
		complain(cmd.ErrOrStderr(), fmt.Sprintf("kind %s of %s is not known: only its metadata is shown", t.Kind, t.APIVersion))
	}
	f.warn(cmd, h)
	return reports.Manifest{Reveal: f.reveal, Revision: c.ModRevision}.Write(w, whole)
}

// warn says that values are printed.
func (f *showFlags) warn(cmd *cobra.Command, h *report.History) {
	if f.reveal {
		complain(cmd.ErrOrStderr(), fmt.Sprintf("warning: the values of %s are printed in plaintext", h.Key))
	}
}

// isObject reports whether what manifest.Parse returned is a Kubernetes object, or what is left of
// one. A whole one has a type.
func isObject(whole map[string]any, err error) bool {
	if err != nil {
		return len(whole) > 0
	}
	apiVersion, _ := whole["apiVersion"].(string)
	kind, _ := whole["kind"].(string)
	return apiVersion != "" && kind != ""
}

// showBytes prints a copy that is no object: what it is, and with --reveal its bytes.
func (f *showFlags) showBytes(cmd *cobra.Command, w io.Writer, h *report.History, n int, value []byte) error {
	f.warn(cmd, h)
	what := analyzer.NoObject(value)
	if c := h.Copies[n]; c.Plaintext() && !c.Complete {
		what += ", a piece of the value"
	}
	return reports.Bytes{Reveal: f.reveal, What: what}.Write(w, value)
}

// checkRaw is the error where --format raw can not be.
func (f *showFlags) checkRaw(cmd *cobra.Command) error {
	stdout, ok := cmd.OutOrStdout().(*os.File)
	switch {
	case !f.reveal:
		return errors.New("--format raw prints the value: it takes --reveal")
	case isStdout(f.output) && ok && term.IsTerminal(int(stdout.Fd())):
		return errors.New("--format raw: the bytes may do anything to a terminal; choose a file with --output, or a pipe")
	}
	return nil
}

// decrypt opens an encrypted copy.
func decrypt(ctx context.Context, config *encryption.Config, h *report.History, c report.Occurrence, value []byte) ([]byte, error) {
	with := c.Provider.String() + ":" + string(c.KeyName)
	if config == nil {
		return nil, fmt.Errorf("encrypted with %s: --encryption-config FILE decrypts it", with)
	}
	name, group, _ := strings.Cut(string(h.Resource), ".")
	plain, err := analyzer.Decrypt(ctx, config, resource.GroupResource{Group: group, Resource: name}, h.Key, value)
	if errors.Is(err, encryption.ErrNoKMS) {
		return nil, fmt.Errorf("encrypted with %s: --kms lets its KMS plugin be called", with)
	}
	if err != nil {
		return nil, fmt.Errorf("encrypted with %s: %w", with, err)
	}
	return plain, nil
}

func usage(err error) error { return &statusError{report.ExitUsage, []error{err}} }

// choose is the index of the copy that the user asked for.
func (f *showFlags) choose(h *report.History) (int, error) {
	switch {
	case len(h.Copies) == 0 && len(h.Similar) > 0:
		return 0, fmt.Errorf("no copy of %s was seen; did you mean %s?", h.Key, h.Similar[0])
	case len(h.Copies) == 0:
		return 0, fmt.Errorf("no copy of %s was seen", h.Key)
	case f.copy > len(h.Copies):
		return 0, fmt.Errorf("--copy %d: %s has %d copies", f.copy, h.Key, len(h.Copies))
	case f.copy > 0 && h.Copies[f.copy-1].Deletion:
		return 0, fmt.Errorf("--copy %d: the deletion of %s, which has no value", f.copy, h.Key)
	case f.copy > 0:
		return f.copy - 1, nil
	case f.revision > 0:
		return best(h, func(o report.Occurrence) bool { return o.ModRevision == f.revision },
			fmt.Sprintf("no value of %s at revision %d was seen: etcdsift history lists those that were", h.Key, f.revision))
	case h.State == report.StateDeleted:
		return 0, fmt.Errorf("%s is deleted: choose one of its %d copies with --copy or --revision (etcdsift history lists them)", h.Key, len(h.Copies))
	}
	newest := slices.MaxFunc(h.Copies, compareNewest)
	return best(h, func(o report.Occurrence) bool { return compareNewest(o, newest) == 0 },
		fmt.Sprintf("no value of %s was seen that took effect: choose one of its copies with --copy (etcdsift history lists them)", h.Key))
}

// compareNewest orders copies by when they were written: what is live in the db, or will be
// when etcd applies what is in the WAL alone, before all else. What another object carries comes
// last. An unknown revision counts as
// older.
func compareNewest(a, b report.Occurrence) int {
	took := func(o report.Occurrence) int {
		switch {
		case o.Deletion || o.Refused, o.Carrier != "":
			return 0
		case o.Region == report.RegionLive, o.Region == report.RegionWAL && !o.Applied && o.ModRevision > 0:
			return 2
		}
		return 1
	}
	index := func(o report.Occurrence) uint64 {
		if o.ModRevision > 0 {
			return 0
		}
		return o.WALIndex
	}
	return cmp.Or(cmp.Compare(took(a), took(b)), cmp.Compare(a.ModRevision, b.ModRevision), cmp.Compare(index(a), index(b)))
}

// best is the copy that is the most whole of those that match.
func best(h *report.History, matches func(report.Occurrence) bool, none string) (int, error) {
	found := -1
	for i, o := range h.Copies {
		if o.Deletion || o.Refused || !matches(o) {
			continue
		}
		if found < 0 || o.Complete && !h.Copies[found].Complete {
			found = i
		}
	}
	if found < 0 {
		return 0, errors.New(none)
	}
	return found, nil
}
