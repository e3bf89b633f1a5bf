package policy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// The results that reports have besides [ReportPass] and [ReportSkip].
const (
	// ReportFail reports that the object breaks the policy.
	ReportFail ReportResult = "fail"
	// ReportWarn reports that the object breaks a policy that does not count, by the annotation
	// policies.kyverno.io/scored: "false".
	ReportWarn ReportResult = "warn"
	// ReportError reports that the policy could not be evaluated.
	ReportError ReportResult = "error"
)

// Reported is one result in a policy report: what one rule of a policy says about one resource.
type Reported struct {
	// Policy is its name, or namespace/name for a policy that is in a namespace.
	Policy string
	// Rule of the policy. Empty for the kinds of policies.kyverno.io, which have one rule each.
	Rule string
	// Source tells the kinds of policies apart: "kyverno" for ClusterPolicy and Policy, "KyvernoValidatingPolicy",
	// "ValidatingAdmissionPolicy" and so on.
	Source string
	// Resource that was judged.
	Resource corev1.ObjectReference
	// Result of the rule.
	Result ReportResult
	// Message says why.
	Message string
	// Severity is "critical", "high", "medium", "low", "info" or empty, from the annotation of the policy.
	Severity string
	// Category is free text from the annotation of the policy.
	Category string
	// Time of the evaluation, to the second.
	Time time.Time
}

// ReportFilter selects results. The zero value selects all.
type ReportFilter struct {
	// Policies by name, or namespace/name. Default: all.
	Policies []string
	// Namespace of the resources. Default: all, and the resources without one.
	Namespace string
	// Results to select. Default: all.
	Results []ReportResult
}

func (f ReportFilter) selects(reported Reported) bool {
	return (len(f.Policies) == 0 || slices.Contains(f.Policies, reported.Policy)) &&
		(len(f.Results) == 0 || slices.Contains(f.Results, reported.Result))
}

// ErrNoReports says that the cluster serves no kind of policy reports: Kyverno is not installed, or without them.
var ErrNoReports = errors.New("the cluster serves no policy reports: install Kyverno with its reports controller")

// reportKinds are those that Kyverno writes: the second pair instead of the first if it runs with --openreportsEnabled.
var reportKinds = []schema.GroupVersionKind{
	{Group: "wgpolicyk8s.io", Version: "v1alpha2", Kind: "PolicyReport"},
	{Group: "wgpolicyk8s.io", Version: "v1alpha2", Kind: "ClusterPolicyReport"},
	{Group: "openreports.io", Version: "v1alpha1", Kind: "Report"},
	{Group: "openreports.io", Version: "v1alpha1", Kind: "ClusterReport"},
}

// Reports returns the selected results of all policy reports that the cluster holds, ordered by policy, rule and
// resource. The error is [ErrNoReports] when the cluster serves none.
//
// A report is not there at once: Kyverno scans a resource up to 30 seconds after a change and files the result some 10
// seconds later, and a policy with background scans turned off is judged only on requests.
func (c *Client) Reports(ctx context.Context, filter ReportFilter) ([]Reported, error) {
	kinds, err := c.servedReports(filter.Namespace)
	if err != nil {
		return nil, err
	}
	var all []Reported
	for _, kind := range kinds {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
		if err := c.kube.List(ctx, list, client.InNamespace(filter.Namespace)); err != nil {
			return nil, fmt.Errorf("list %s: %w", kind.Kind, err)
		}
		for i := range list.Items {
			found, err := readReport(&list.Items[i])
			if err != nil {
				return nil, err
			}
			all = append(all, slices.DeleteFunc(found, func(r Reported) bool { return !filter.selects(r) })...)
		}
	}
	slices.SortStableFunc(all, compareReported)
	return all, nil
}

// servedReports are the kinds of reports that the cluster serves; those in namespaces alone if a namespace is wanted.
func (c *Client) servedReports(namespace string) ([]schema.GroupVersionKind, error) {
	var served []schema.GroupVersionKind
	for _, kind := range reportKinds {
		mapping, err := c.kube.RESTMapper().RESTMapping(kind.GroupKind(), kind.Version)
		switch {
		case meta.IsNoMatchError(err):
			continue
		case err != nil:
			return nil, fmt.Errorf("look for kind %s: %w", kind.Kind, err)
		case namespace == "" || mapping.Scope.Name() == meta.RESTScopeNameNamespace:
			served = append(served, kind)
		}
	}
	if len(served) == 0 {
		return nil, ErrNoReports
	}
	return served, nil
}

// report has the fields of both groups' kinds that Kyverno fills in: kyverno: pkg/utils/report/results.go.
type report struct {
	Scope   *corev1.ObjectReference `json:"scope"`
	Results []struct {
		Source   string       `json:"source"`
		Policy   string       `json:"policy"`
		Rule     string       `json:"rule"`
		Result   ReportResult `json:"result"`
		Message  string       `json:"message"`
		Severity string       `json:"severity"`
		Category string       `json:"category"`
		// Resources of wgpolicyk8s.io; openreports.io serialises them alike.
		Resources []corev1.ObjectReference `json:"resources"`
		Timestamp metav1.Timestamp         `json:"timestamp"`
	} `json:"results"`
}

// readReport returns the results of a report. A result names its resources, or is about the scope of the report.
func readReport(obj *unstructured.Unstructured) ([]Reported, error) {
	var content report
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(obj.Object, &content); err != nil {
		return nil, fmt.Errorf("read %s %s: %w", obj.GetKind(), client.ObjectKeyFromObject(obj), err)
	}
	var all []Reported
	for _, result := range content.Results {
		resources := result.Resources
		if len(resources) == 0 {
			if content.Scope == nil {
				continue
			}
			resources = []corev1.ObjectReference{*content.Scope}
		}
		for _, resource := range resources {
			all = append(all, Reported{
				Policy: result.Policy, Rule: result.Rule, Source: result.Source, Resource: resource, Result: result.Result,
				Message: result.Message, Severity: result.Severity, Category: result.Category,
				Time: time.Unix(result.Timestamp.Seconds, int64(result.Timestamp.Nanos)),
			})
		}
	}
	return all, nil
}

func compareReported(a, b Reported) int {
	return cmp.Or(
		cmp.Compare(a.Policy, b.Policy), cmp.Compare(a.Rule, b.Rule),
		cmp.Compare(a.Resource.Namespace, b.Resource.Namespace), cmp.Compare(a.Resource.Kind, b.Resource.Kind),
		cmp.Compare(a.Resource.Name, b.Resource.Name), cmp.Compare(a.Source, b.Source),
	)
}
