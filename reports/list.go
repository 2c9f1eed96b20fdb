package reports

import (
	"cmp"
	"fmt"
	"io"

	"github.com/etcdsift/etcdsift/analyzer/report"
)

// listTable collects the values, because the widths of columns depend on all of them.
type listTable struct {
	w      io.Writer
	grid   grid
	judged bool // a configuration judges some value
	kcp    bool // some value is of a logical cluster
	states bool // some value is not known to be live
}

func newListTable(w io.Writer) ValueFormat {
	return &listTable{w: w, grid: grid{
		header: []string{"PROVIDER", "KEY NAME", "ENCODING", "SIZE", "REVISION", "STATE", "POLICY", "PROOF", "LOGICAL CLUSTER", "KEY"},
		right:  []int{3, 4},
		open:   true,
	}}
}

// Value implements ValueFormat.
func (l *listTable) Value(v report.Value) error {
	key := visible(v.Key)
	if v.Path != "" {
		key = visible(v.Path) + ": " + key
	}
	l.grid.add(v.Provider.String(), orDash(visible(v.KeyName)), orDash(v.Encoding.String()), fmt.Sprint(v.Size), fmt.Sprint(v.ModRevision),
		cmp.Or(string(v.State), string(report.StateLive)), orDash(v.Policy.String()), orDash(v.Proof.String()), orDash(visible(v.LogicalCluster)), key)
	l.kcp = l.kcp || v.LogicalCluster != ""
	l.judged, l.states = l.judged || v.Policy != "", l.states || v.State != ""
	return nil
}

// Close implements ValueFormat.
func (l *listTable) Close() error {
	w := &errWriter{w: l.w}
	if !l.kcp {
		l.grid.drop(8, 9)
	}
	if !l.judged {
		l.grid.drop(6, 8)
	}
	if !l.states {
		l.grid.drop(5, 6)
	}
	l.grid.write(w)
	return w.err
}
