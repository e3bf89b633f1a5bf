package admission

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/jstemmer/go-junit-report/v2/junit"
	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"
)

// Text writes the report for people: what is not in order, by object, and a summary.
func (r *Report) Text(w io.Writer) error {
	var b strings.Builder
	for _, judgement := range r.Judgements {
		lines := judgement.complaints()
		if len(lines) == 0 {
			continue
		}
		word := "denied"
		if judgement.Allowed {
			word = "admitted"
		}
		fmt.Fprintf(&b, "%s: %s is %s\n", judgement.Document, describe(judgement.Document.Object), word)
		for _, line := range lines {
			fmt.Fprintf(&b, "  %s\n", line)
		}
	}
	s := r.Summary()
	fmt.Fprintf(&b, "%d objects: %d admitted, %d denied. Rules: %d passed, %d failed, %d warned, %d errors, %d skipped.\n",
		s.Objects, s.Admitted, s.Denied, s.Pass, s.Fail, s.Warn, s.Error, s.Skip)
	_, err := io.WriteString(w, b.String())
	return err
}

// complaints are the lines about one object.
func (j Judgement) complaints() []string {
	var lines []string
	if j.Err != nil {
		lines = append(lines, fmt.Sprintf("error: %v", j.Err))
	}
	for _, v := range j.Verdicts {
		if v.Status == Pass || v.Status == Skip {
			continue
		}
		status := string(v.Status)
		if v.Status == Fail && !v.Enforced {
			status = "audit"
		}
		lines = append(lines, fmt.Sprintf("%s: %s: %s", status, v.name(), oneLine(v.Message)))
	}
	return lines
}

// name is that of the policy and, where it has one, of the rule.
func (v Verdict) name() string {
	if v.Rule == "" || v.Rule == v.Policy.Name {
		return v.Policy.String()
	}
	return v.Policy.String() + ", rule " + v.Rule
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// jsonJudgement is a judgement as JSON.
type jsonJudgement struct {
	File       string        `json:"file"`
	Line       int           `json:"line"`
	APIVersion string        `json:"apiVersion"`
	Kind       string        `json:"kind"`
	Namespace  string        `json:"namespace,omitempty"`
	Name       string        `json:"name"`
	Allowed    bool          `json:"allowed"`
	Error      string        `json:"error,omitempty"`
	Warnings   []string      `json:"warnings,omitempty"`
	Verdicts   []jsonVerdict `json:"verdicts"`
}

type jsonVerdict struct {
	PolicyKind      string   `json:"policyKind"`
	PolicyNamespace string   `json:"policyNamespace,omitempty"`
	Policy          string   `json:"policy"`
	Rule            string   `json:"rule,omitempty"`
	Type            RuleType `json:"type"`
	Status          Status   `json:"status"`
	Enforced        bool     `json:"enforced"`
	Message         string   `json:"message,omitempty"`
	Path            string   `json:"path,omitempty"`
	Exceptions      []string `json:"exceptions,omitempty"`
}

// JSON writes every verdict, and the summary, as one object.
func (r *Report) JSON(w io.Writer) error {
	out := struct {
		Summary    Summary         `json:"summary"`
		Judgements []jsonJudgement `json:"judgements"`
	}{r.Summary(), make([]jsonJudgement, len(r.Judgements))}
	for i, j := range r.Judgements {
		obj := j.Document.Object
		one := jsonJudgement{
			File: j.Document.File, Line: j.Document.Line, APIVersion: obj.GetAPIVersion(), Kind: obj.GetKind(),
			Namespace: obj.GetNamespace(), Name: obj.GetName(), Allowed: j.Allowed, Warnings: j.Warnings,
			Verdicts: make([]jsonVerdict, len(j.Verdicts)),
		}
		if j.Err != nil {
			one.Error = j.Err.Error()
		}
		for k, v := range j.Verdicts {
			one.Verdicts[k] = jsonVerdict{
				PolicyKind: v.Policy.Kind, PolicyNamespace: v.Policy.Namespace, Policy: v.Policy.Name, Rule: v.Rule, Type: v.Type,
				Status: v.Status, Enforced: v.Enforced, Message: v.Message, Path: v.Path, Exceptions: v.Exceptions,
			}
		}
		out.Judgements[i] = one
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(out)
}

// JUnit writes the report as JUnit's XML: a suite for each file, a case for each object and rule. What denies is a failure;
// a rule that only audits is not.
func (r *Report) JUnit(w io.Writer) error {
	var all junit.Testsuites
	for begin := 0; begin < len(r.Judgements); {
		file := r.Judgements[begin].Document.File
		suite := junit.Testsuite{Name: file, File: file, Time: "0", ID: len(all.Suites)}
		for ; begin < len(r.Judgements) && r.Judgements[begin].Document.File == file; begin++ {
			for _, one := range r.Judgements[begin].cases() {
				suite.AddTestcase(one)
			}
		}
		all.AddSuite(suite)
	}
	return all.WriteXML(w)
}

func (j Judgement) cases() []junit.Testcase {
	class := describe(j.Document.Object)
	if j.Err != nil {
		return []junit.Testcase{{Classname: class, Name: "evaluation", Time: "0", Error: &junit.Result{Message: oneLine(j.Err.Error())}}}
	}
	out := make([]junit.Testcase, 0, len(j.Verdicts))
	for _, v := range j.Verdicts {
		one := junit.Testcase{Classname: class, Name: v.name(), Time: "0"}
		result := &junit.Result{Message: oneLine(v.Message), Data: j.Document.String()}
		switch {
		case v.Status == Error:
			one.Error = result
		case v.denies():
			one.Failure = result
		case v.Status == Skip:
			one.Skipped = result
		}
		out = append(out, one)
	}
	return out
}

// SARIF writes the report in version 2.1.0 of the Static Analysis Results Interchange Format: a rule for each policy and
// rule, a result for each verdict that is not in order.
func (r *Report) SARIF(w io.Writer) error {
	run := sarif.NewRunWithInformationURI("backbone policy/admission", "https://github.com/controlbackbone/backbone")
	for _, j := range r.Judgements {
		location := sarif.NewLocationWithPhysicalLocation(sarif.NewPhysicalLocation().
			WithArtifactLocation(sarif.NewSimpleArtifactLocation(j.Document.File)).
			WithRegion(sarif.NewSimpleRegion(j.Document.Line, j.Document.Line)))
		add := func(rule, level, message string) {
			run.AddRule(rule)
			run.CreateResultForRule(rule).WithLevel(level).AddLocation(location).
				WithMessage(sarif.NewTextMessage(describe(j.Document.Object) + ": " + oneLine(message)))
		}
		if j.Err != nil {
			add("evaluation", "error", j.Err.Error())
		}
		for _, v := range j.Verdicts {
			switch {
			case v.denies():
				add(v.name(), "error", v.Message)
			case v.Status == Fail, v.Status == Warn, v.Status == Error:
				add(v.name(), "warning", v.Message)
			}
		}
	}
	report := sarif.NewReport()
	report.AddRun(run)
	return report.PrettyWrite(w)
}
