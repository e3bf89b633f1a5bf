package flow

import (
	"context"
	"io"
)

// Parse returns the flow that a command line asks for, before its first stage.
func Parse(example Example, arguments []string, usage io.Writer) (*Flow, error) {
	o, err := parse(example, arguments, usage)
	return &Flow{options: o}, err
}

// StageNames are those of the stages that the flow would run.
func StageNames(f *Flow, example Example) []string {
	var names []string
	for _, stage := range f.stages(example) {
		names = append(names, stage.Name)
	}
	return names
}

// Close ends the flow.
func Close(ctx context.Context, f *Flow) error { return f.close(ctx) }
