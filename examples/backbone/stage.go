package main

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// stage is one step of the flow. It does something and then proves, from the
// state of the cluster, that it has happened.
type stage struct {
	name string
	// run reports what it is at with progress and returns what it has proven.
	run func(ctx context.Context, progress progress) (proof string, err error)
}

// progress tells the reader what a stage is at.
type progress func(update)

// update is what a stage is at.
type update struct {
	message string
	// done of total; total is 0 when nobody can tell it.
	done, total int
	// minor is one of many alike, of which a log needs only some.
	minor bool
}

// say reports a step that has no count.
func (p progress) say(format string, arguments ...any) {
	p(update{message: fmt.Sprintf(format, arguments...)})
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
func runStages(ctx context.Context, stages []stage, show display) ([]outcome, error) {
	var outcomes []outcome
	for i, s := range stages {
		show.started(i+1, len(stages), s.name)
		began := time.Now()
		proof, err := s.run(ctx, show.progress)
		if err != nil && ctx.Err() != nil {
			err = fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
		result := outcome{stage: s.name, proof: proof, duration: time.Since(began), err: err}
		outcomes = append(outcomes, result)
		show.ended(i+1, len(stages), result)
		if err != nil {
			return outcomes, &StageError{Stage: s.name, Err: err}
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
		fmt.Fprintf(columns, "%s\t%s\t%s\t%s\n", o.stage, result, seconds(o.duration), o.proof)
	}
	fmt.Fprintf(columns, "total\t\t%s\t\n", seconds(total))
	return columns.Flush()
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1fs", d.Seconds()) }
