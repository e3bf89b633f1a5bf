// Package kyvernotest runs the test suites of Kyverno's command line, files named kyverno-test.yaml, through
// [admission.Engine], with the results that `kyverno test` of Kyverno 1.15.2 gives.
//
// [Load] finds and reads the suites of a directory, [Test.Run] runs one, and [Run] runs all of them:
//
//	tests, err := kyvernotest.Load("policies")
//	if err != nil {
//		return err
//	}
//	report := kyvernotest.Run(ctx, tests)
//	fmt.Print(report.Text())
//
// A suite says what it expects of a policy, a rule and some resources; each expectation becomes one [Row] per resource.
// Where the command line is lenient, so is this package, because a suite must give the same result with both: see
// [Row].Passed.
//
// Where the command line ends without a result, because a resource's kind is unknown beside a ValidatingPolicy or a
// native policy meets a subresource, this package goes on and says what the policies do.
//
// Nothing touches the network: a policy or resource named by URL is an error, and a rule that needs a registry gets the
// verdict error.
package kyvernotest
