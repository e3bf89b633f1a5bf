// Command policy-gate says of manifests what Kyverno's admission controller would say, without a cluster: before a merge,
// in a pipeline, or on a laptop.
//
//	go run ./examples/policy-gate --policies policies/ --manifests manifests/
//	go run ./examples/policy-gate --policies policies/ --repo . --revision HEAD --repo-url https://git.example.com/platform.git
//	go run ./examples/policy-gate --kyverno-tests policies/
//
// Without arguments it judges a few manifests that it brings along, by rules of package policy.
//
// It exits with 0 if everything is admitted, with 2 if something is denied or a test fails, and with 1 if there is no
// answer.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/controlbackbone/backbone/policy/admission"
)

const (
	exitTrouble = 1
	exitDenied  = 2
)

var (
	errDenied = errors.New("not everything is admitted")
	errFailed = errors.New("not every test passes")
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// Kyverno's engine logs what the verdicts say anyway.
	log.SetLogger(logr.Discard())
	o, err := parse(os.Args[1:], os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err == nil {
		err = o.run(ctx, os.Stdout)
	}
	if err == nil {
		return
	}
	fmt.Fprintln(os.Stderr, "policy-gate:", err)
	if errors.Is(err, errDenied) || errors.Is(err, errFailed) {
		os.Exit(exitDenied)
	}
	os.Exit(exitTrouble)
}

// options are the command line's.
type options struct {
	policies, exceptions, data, manifests []string
	repo, revision, repoURL               string
	paths                                 []string
	tests                                 []string
	output                                string
	failOnAudit, defaults                 bool
}

func parse(arguments []string, usage io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("policy-gate", flag.ContinueOnError)
	flags.SetOutput(usage)
	list := func(into *[]string, name, text string) {
		flags.Func(name, text+"; may be given several times", func(value string) error {
			*into = append(*into, value)
			return nil
		})
	}
	list(&o.policies, "policies", "a `path` of policies: a file, or a folder with all below it")
	list(&o.exceptions, "exceptions", "a `path` of PolicyExceptions")
	list(&o.data, "data", "a `path` of objects that policies ask the cluster for, such as ConfigMaps and CustomResourceDefinitions")
	list(&o.manifests, "manifests", "a `path` of the manifests to judge")
	flags.StringVar(&o.repo, "repo", "", "judge what Argo CD would deploy from this git `repository` instead of manifests")
	flags.StringVar(&o.revision, "revision", "HEAD", "the `revision` of --repo")
	flags.StringVar(&o.repoURL, "repo-url", "", "the `URL` by which Argo CD knows --repo")
	list(&o.paths, "path", "where --repo declares Applications and ApplicationSets: a `path` or pattern in it; default: everywhere")
	list(&o.tests, "kyverno-tests", "run the kyverno-test.yaml suites of a `folder` and below, instead of judging manifests")
	flags.StringVar(&o.output, "output", "text", "text, json, junit or sarif; for --kyverno-tests text, json or junit")
	flags.BoolVar(&o.failOnAudit, "fail-on-audit", false, "take rules that only audit for ones that deny")
	flags.BoolVar(&o.defaults, "defaults", false, "fill in the API server's defaults first, as Kyverno sees a request")
	if err := flags.Parse(arguments); err != nil {
		return options{}, err
	}
	return o, o.validate(flags.Args())
}

func (o options) validate(rest []string) error {
	outputs := "text, json, junit or sarif"
	if len(o.tests) > 0 {
		outputs = "text, json or junit"
	}
	switch {
	case len(rest) > 0:
		return fmt.Errorf("unexpected argument %q: see --help", rest[0])
	case !strings.Contains(" "+strings.ReplaceAll(outputs, ",", " ")+" ", " "+o.output+" "):
		return fmt.Errorf("--output %q: want %s", o.output, outputs)
	case len(o.tests) > 0 && len(o.policies)+len(o.exceptions)+len(o.data)+len(o.manifests) > 0, len(o.tests) > 0 && o.repo != "":
		return errors.New("--kyverno-tests stands alone: the suites name their policies and resources")
	case len(o.manifests) > 0 && o.repo != "":
		return errors.New("--manifests or --repo, not both")
	case o.repo != "" && o.repoURL == "":
		return errors.New("--repo needs --repo-url, by which Argo CD knows the repository")
	case (len(o.manifests) > 0 || o.repo != "") && len(o.policies) == 0:
		return errors.New("--policies is missing: without a policy everything is admitted")
	case len(o.policies) > 0 && len(o.manifests) == 0 && o.repo == "":
		return errors.New("--manifests or --repo is missing: there is nothing to judge")
	default:
		return nil
	}
}

func (o options) run(ctx context.Context, out io.Writer) error {
	if len(o.tests) > 0 {
		return o.runTests(ctx, out)
	}
	in, err := o.read(ctx)
	if err != nil {
		return err
	}
	report, err := in.judge(ctx)
	if err != nil {
		return err
	}
	if err := o.write(out, report); err != nil {
		return err
	}
	return o.verdict(report)
}

func (o options) write(out io.Writer, report *admission.Report) error {
	switch o.output {
	case "json":
		return report.JSON(out)
	case "junit":
		return report.JUnit(out)
	case "sarif":
		return report.SARIF(out)
	default:
		return report.Text(out)
	}
}

// verdict is what the exit code says.
func (o options) verdict(report *admission.Report) error {
	summary := report.Summary()
	switch {
	case summary.Error > 0:
		return fmt.Errorf("%d rules or objects ended in an error, see the report", summary.Error)
	case summary.Denied > 0, o.failOnAudit && summary.Fail > 0:
		return errDenied
	default:
		return nil
	}
}
