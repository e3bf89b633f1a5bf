package kyvernotest

import (
	"context"
	"fmt"
)

// Run runs tests one after the other. A test that cannot be run is an error of its [Result]; the others go on. When the
// context ends so do the tests, each with the reason.
func Run(ctx context.Context, tests []Test) *Report {
	report := &Report{}
	for _, test := range tests {
		report.Tests = append(report.Tests, test.Run(ctx))
	}
	return report
}

// Run runs the test. A test without results gives no rows, even if it has checks: the command line passes it over.
func (t Test) Run(ctx context.Context) (result Result) {
	result = Result{Path: t.Path, Name: t.Name}
	in := &inputs{}
	defer func() {
		// Kyverno's readers are not proof against all that may be in a file.
		if fault := recover(); fault != nil {
			result.Warnings, result.Err = in.warnings, fmt.Errorf("run the suite %s: Kyverno's code failed: %v", t.Path, fault)
		}
	}()
	rows, err := t.run(ctx, in)
	result.Warnings = in.warnings
	if err != nil {
		result.Err = fmt.Errorf("run the suite %s: %w", t.Path, err)
		return result
	}
	result.Rows = rows
	return result
}

func (t Test) run(ctx context.Context, in *inputs) ([]Row, error) {
	if err := t.readable(); err != nil {
		return nil, err
	}
	if len(t.spec.Results) == 0 {
		return nil, nil
	}
	if err := t.read(in); err != nil {
		return nil, err
	}
	all, err := t.evaluate(ctx, in)
	if err != nil {
		return nil, err
	}
	var rows []Row
	for _, expected := range t.spec.Results {
		rows = append(rows, t.expect(expected, all)...)
	}
	for _, check := range t.spec.Checks {
		found, err := t.check(ctx, check, all)
		if err != nil {
			return nil, err
		}
		rows = append(rows, found...)
	}
	return rows, nil
}
