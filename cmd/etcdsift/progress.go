package main

import (
	"io"
	"os"
	"sync"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"

	"github.com/etcdsift/etcdsift/analyzer/evidence"
	"github.com/etcdsift/etcdsift/analyzer/report"
)

// progressFrom is the size of evidence, in bytes, from which a progress bar is
// worth its flicker.
const progressFrom = 256 << 20

// A progress shows a bar a file on a terminal, and else nothing.
type progress struct {
	mu   sync.Mutex
	all  *mpb.Progress // nil where nothing is shown
	bars map[report.Text]*mpb.Bar
}

func newProgress(stderr io.Writer, sources []evidence.Source) *progress {
	p := &progress{bars: map[report.Text]*mpb.Bar{}}
	var total int64
	for _, s := range sources {
		total += s.Size
	}
	f, ok := stderr.(*os.File)
	if ok && total >= progressFrom && term.IsTerminal(int(f.Fd())) {
		p.all = mpb.New(mpb.WithOutput(stderr), mpb.WithWidth(40))
	}
	return p
}

// update is analyzer.Interest.Progress.
func (p *progress) update(path report.Text, done, total int64) {
	if p.all == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	bar := p.bars[path]
	if bar == nil {
		bar = p.all.AddBar(total, mpb.BarRemoveOnComplete(),
			mpb.PrependDecorators(decor.CountersKibiByte("reading % .1f / % .1f")),
			mpb.AppendDecorators(decor.AverageSpeed(decor.SizeB1024(0), "% .1f")))
		p.bars[path] = bar
	}
	bar.SetCurrent(done)
}

// finish takes the bars from the screen.
func (p *progress) finish() {
	if p.all == nil {
		return
	}
	for _, bar := range p.bars {
		bar.Abort(true)
	}
	p.all.Wait()
}
