package flow

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"
)

// display shows the stages while they run.
type display interface {
	started(number, of int, name string)
	progress(Update)
	ended(number, of int, result outcome)
}

// newDisplay draws progress bars on a terminal and prints plain lines elsewhere.
func newDisplay(out *os.File, verbose bool) display {
	if term.IsTerminal(int(out.Fd())) && !verbose {
		return &bars{out: out}
	}
	interval := 10 * time.Second
	if verbose {
		interval = 0
	}
	return &lines{out: out, interval: interval}
}

// lines prints what a log can hold: the start and end of each stage, its steps,
// and of minor ones at most one in an interval.
type lines struct {
	out      io.Writer
	interval time.Duration

	mu   sync.Mutex
	last time.Time
}

func (l *lines) started(number, of int, name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = time.Now()
	fmt.Fprintf(l.out, "[%d/%d] %s\n", number, of, name)
}

func (l *lines) progress(u Update) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if u.Minor && time.Since(l.last) < l.interval {
		return
	}
	l.last = time.Now()
	fmt.Fprintf(l.out, "      %s\n", u.Message)
}

func (l *lines) ended(number, of int, result outcome) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintln(l.out, closing(number, of, result))
}

func closing(number, of int, result outcome) string {
	if result.err != nil {
		return fmt.Sprintf("[%d/%d] %s FAILED after %s", number, of, result.stage, Seconds(result.duration))
	}
	return fmt.Sprintf("[%d/%d] %s ok in %s: %s", number, of, result.stage, Seconds(result.duration), result.proof)
}

// bars draws the running stage as a bar that its closing line replaces.
type bars struct {
	out io.Writer

	mu      sync.Mutex
	drawing *mpb.Progress
	bar     *mpb.Bar
	message string
}

func (b *bars) started(number, of int, name string) {
	title := fmt.Sprintf("[%d/%d] %-12s ", number, of, name)
	b.drawing = mpb.New(mpb.WithOutput(b.out), mpb.WithWidth(24), mpb.WithRefreshRate(120*time.Millisecond))
	b.setMessage("")
	b.bar = b.drawing.AddBar(0,
		mpb.BarRemoveOnComplete(),
		mpb.PrependDecorators(decor.Name(title), decor.Elapsed(decor.ET_STYLE_MMSS)),
		mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return b.getMessage() })),
	)
}

func (b *bars) progress(u Update) {
	b.setMessage(u.Message)
	b.bar.SetTotal(int64(u.Total), false)
	b.bar.SetCurrent(int64(u.Done))
}

func (b *bars) ended(number, of int, result outcome) {
	b.bar.Abort(true)
	b.drawing.Wait()
	fmt.Fprintln(b.out, closing(number, of, result))
}

func (b *bars) setMessage(message string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.message = message
}

func (b *bars) getMessage() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.message
}
