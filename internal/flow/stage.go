package flow

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/controlbackbone/backbone/internal/embedded"
)

// Stage is one step of the flow. It does something and then proves, from the
// state of the cluster, that it has happened.
type Stage struct {
	Name string
	// Run reports what it is at with progress and returns what it has proven.
	Run func(ctx context.Context, progress Progress) (proof string, err error)
	// Needs are components: without one of them the stage is left out.
	Needs []embedded.Component
}

// Progress tells the reader what a stage is at.
type Progress func(Update)

// Update is what a stage is at.
type Update struct {
	Message string
	// Done of Total; Total is 0 when nobody can tell it.
	Done, Total int
	// Minor is one of many alike, of which a log needs only some.
	Minor bool
}

// Say reports a step that has no count.
func (p Progress) Say(format string, arguments ...any) {
	p(Update{Message: fmt.Sprintf(format, arguments...)})
}

// outcome is how a stage ended.
type outcome struct {
	stage    string
	proof    string
	duration time.Duration
	err      error
}

// StageError is the failure of a stage.
type StageError struct {
	Stage string
	Err   error
}

func (e *StageError) Error() string { return fmt.Sprintf("stage %q: %v", e.Stage, e.Err) }

func (e *StageError) Unwrap() error { return e.Err }

// runStages runs the stages in order, up to the first that fails.
func runStages(ctx context.Context, stages []Stage, show display) ([]outcome, error) {
	var outcomes []outcome
	for i, s := range stages {
		show.started(i+1, len(stages), s.Name)
		began := time.Now()
		proof, err := s.Run(ctx, show.progress)
		if err != nil && ctx.Err() != nil {
			err = fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
		result := outcome{stage: s.Name, proof: proof, duration: time.Since(began), err: err}
		outcomes = append(outcomes, result)
		show.ended(i+1, len(stages), result)
		if err != nil {
			return outcomes, &StageError{Stage: s.Name, Err: err}
		}
	}
	return outcomes, nil
}

// table prints what ran and how long it took.
func table(w io.Writer, outcomes []outcome) error {
	columns := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(columns, "STAGE\tRESULT\tTIME\tPROOF")
	var total time.Duration
	for _, o := range outcomes {
		result := "ok"
		if o.err != nil {
			result = "FAILED"
		}
		total += o.duration
		fmt.Fprintf(columns, "%s\t%s\t%s\t%s\n", o.stage, result, Seconds(o.duration), o.proof)
	}
	fmt.Fprintf(columns, "total\t\t%s\t\n", Seconds(total))
	return columns.Flush()
}

// Seconds is how the stages write durations.
func Seconds(d time.Duration) string { return fmt.Sprintf("%.1fs", d.Seconds()) }
