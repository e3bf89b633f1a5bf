package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/jstemmer/go-junit-report/v2/junit"

	"github.com/controlbackbone/backbone/policy/admission/kyvernotest"
)

// runTests runs suites of the Kyverno command line.
func (o options) runTests(ctx context.Context, out io.Writer) error {
	tests, err := kyvernotest.Load(o.tests...)
	if err != nil {
		return err
	}
	if len(tests) == 0 {
		return fmt.Errorf("there is no %s below %v", kyvernotest.FileName, o.tests)
	}
	report := kyvernotest.Run(ctx, tests)
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	switch o.output {
	case "json":
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		err = encoder.Encode(report)
	case "junit":
		all := asJUnit(report)
		err = all.WriteXML(out)
	default:
		_, err = fmt.Fprint(out, report.Text())
	}
	if err == nil && !report.OK() {
		err = errFailed
	}
	return err
}

// asJUnit has a suite for each test, and a case for each of its rows.
func asJUnit(report *kyvernotest.Report) junit.Testsuites {
	var all junit.Testsuites
	for i, result := range report.Tests {
		suite := junit.Testsuite{Name: result.Path, File: result.Path, ID: i, Time: "0"}
		if result.Err != nil {
			suite.AddTestcase(junit.Testcase{Classname: result.Path, Name: "suite", Time: "0", Error: &junit.Result{Message: result.Err.Error()}})
		}
		for _, row := range result.Rows {
			one := junit.Testcase{
				Classname: row.Policy + "/" + row.Rule, Name: fmt.Sprintf("%s %s/%s", row.Resource.Kind, row.Resource.Namespace, row.Resource.Name), Time: "0",
			}
			if !row.Passed {
				one.Failure = &junit.Result{Message: fmt.Sprintf("%s: want %s, got %s", row.Reason, row.Want, row.Got), Data: row.Message}
			}
			suite.AddTestcase(one)
		}
		all.AddSuite(suite)
	}
	return all
}
