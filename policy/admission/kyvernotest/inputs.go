package kyvernotest

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/kyverno/kyverno-json/pkg/payload"
	kyvernov1 "github.com/kyverno/kyverno/api/kyverno/v1"
	kyvernov2 "github.com/kyverno/kyverno/api/kyverno/v2"
	"github.com/kyverno/kyverno/cmd/cli/kubectl-kyverno/apis/v1alpha1"
	"github.com/kyverno/kyverno/cmd/cli/kubectl-kyverno/context"
	"github.com/kyverno/kyverno/cmd/cli/kubectl-kyverno/deprecations"
	"github.com/kyverno/kyverno/cmd/cli/kubectl-kyverno/exception"
	"github.com/kyverno/kyverno/cmd/cli/kubectl-kyverno/path"
	"github.com/kyverno/kyverno/cmd/cli/kubectl-kyverno/policy"
	"github.com/kyverno/kyverno/cmd/cli/kubectl-kyverno/resource"
	"github.com/kyverno/kyverno/cmd/cli/kubectl-kyverno/source"
	"github.com/kyverno/kyverno/cmd/cli/kubectl-kyverno/userinfo"
	"github.com/kyverno/kyverno/cmd/cli/kubectl-kyverno/utils/common"
	"github.com/kyverno/kyverno/cmd/cli/kubectl-kyverno/values"
	"github.com/kyverno/kyverno/pkg/config"
	policyvalidation "github.com/kyverno/kyverno/pkg/validation/policy"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// inputs are the files that a test names, read as the command line reads them.
type inputs struct {
	policies   *policy.LoaderResults
	exceptions *exception.LoaderResults
	// resources are the triggers, targets what policies can mutate besides, context what CEL can look up.
	resources, targets, context []*unstructured.Unstructured
	payload                     *unstructured.Unstructured
	values                      v1alpha1.ValuesSpec
	user                        *kyvernov2.RequestInfo
	warnings                    []string
}

// read reads the files of the test.
func (t Test) read(in *inputs) error {
	for _, part := range []func(*inputs) error{
		t.readValues, t.readUser, t.readPolicies, t.readResources, t.readPayload, t.readExceptions, t.readContext,
	} {
		if err := part(in); err != nil {
			return err
		}
	}
	return nil
}

// readable rejects what the command line rejects before it reads files, and what would need the network.
func (t Test) readable() error {
	if deprecations.CheckTest(nil, t.Path, t.spec) {
		return errors.New("the schema is deprecated: give apiVersion cli.kyverno.io/v1alpha1 and kind Test, and metadata.name in place of name")
	}
	for _, paths := range [][]string{t.spec.Policies, t.spec.Resources, t.spec.TargetResources} {
		for _, path := range paths {
			if source.IsHttp(path) || source.IsStdin(path) {
				return fmt.Errorf("read %q: only files can be read: download it and name the file", path)
			}
		}
	}
	return nil
}

// readValues prefers the values in the test to those of its file.
func (t Test) readValues(in *inputs) error {
	if t.spec.Values != nil {
		in.values = *t.spec.Values
		return nil
	}
	if t.spec.Variables == "" {
		return nil
	}
	found, err := values.Load(nil, filepath.Join(t.dir(), t.spec.Variables))
	if err != nil {
		return fmt.Errorf("read the values: %w", err)
	}
	if deprecations.CheckValues(nil, t.spec.Variables, found) {
		return fmt.Errorf("read the values: the schema of %s is deprecated: give apiVersion cli.kyverno.io/v1alpha1 and kind Values", t.spec.Variables)
	}
	in.values = found.ValuesSpec
	return nil
}

func (t Test) readUser(in *inputs) error {
	if t.spec.UserInfo == "" {
		return nil
	}
	info, err := userinfo.Load(nil, t.spec.UserInfo, t.dir())
	if err != nil {
		return fmt.Errorf("read the user: %w", err)
	}
	if deprecations.CheckUserInfo(nil, t.spec.UserInfo, info) {
		return fmt.Errorf("read the user: the schema of %s is deprecated: give apiVersion cli.kyverno.io/v1alpha1 and kind UserInfo", t.spec.UserInfo)
	}
	in.user = &info.RequestInfo
	return nil
}

// readPolicies leaves out classic policies that Kyverno would not admit, as the command line does.
func (t Test) readPolicies(in *inputs) error {
	results, err := policy.Load(nil, t.dir(), t.paths(t.spec.Policies)...)
	if err != nil {
		return fmt.Errorf("read the policies: %w", err)
	}
	for _, fault := range results.NonFatalErrors {
		in.warn("a document of %s is left out: %v", fault.Path, fault.Error)
	}
	in.policies = results
	var valid []kyvernov1.PolicyInterface
	user := config.KyvernoUserName(config.KyvernoServiceAccountName())
	for _, policy := range results.Policies {
		checked := policy.CreateDeepCopy()
		if webhook := checked.GetSpec().WebhookConfiguration; webhook != nil {
			webhook.MatchConditions = nil // these end the command line: it has no cluster to ask for its version
		}
		if _, err := policyvalidation.Validate(checked, nil, nil, true, user, user); err != nil {
			in.warn("policy %s is left out, because Kyverno would not admit it: %v", policy.GetName(), err)
			continue
		}
		valid = append(valid, policy)
	}
	results.Policies = valid
	return nil
}

func (t Test) readResources(in *inputs) error {
	resources, err := in.objects(t.paths(t.spec.Resources))
	if err != nil {
		return fmt.Errorf("read the resources: %w", err)
	}
	seen := map[resource.ResourceKey]bool{}
	for _, obj := range resources {
		key := resource.ResourceKey{GroupKind: obj.GroupVersionKind().GroupKind(), Namespace: obj.GetNamespace(), Name: obj.GetName()}
		if seen[key] {
			in.warn("the second %s is left out", resourceOf(obj))
			continue
		}
		seen[key] = true
		obj.Object = withFloats(obj.Object).(map[string]any)
		in.resources = append(in.resources, obj)
	}
	if in.targets, err = in.objects(t.paths(t.spec.TargetResources)); err != nil {
		return fmt.Errorf("read the target resources: %w", err)
	}
	return nil
}

// withFloats makes floating point numbers of all numbers: JMESPath in policies may tell the difference.
func withFloats(value any) any {
	switch value := value.(type) {
	case map[string]any:
		for key, inner := range value {
			value[key] = withFloats(inner)
		}
	case []any:
		for i, inner := range value {
			value[i] = withFloats(inner)
		}
	case int64:
		return float64(value)
	}
	return value
}

// objects reads files of objects; the command line passes over those that it cannot read, but for the first.
func (in *inputs) objects(paths []string) ([]*unstructured.Unstructured, error) {
	var complaints bytes.Buffer
	objects, err := common.GetResourceAccordingToResourcePath(&complaints, nil, paths, false, nil, nil, "", false, false, "")
	if complaints.Len() > 0 {
		in.warn("%s", strings.Join(strings.Fields(strings.ReplaceAll(complaints.String(), "----", "")), " "))
	}
	return objects, err
}

func (t Test) readPayload(in *inputs) error {
	if t.spec.JSONPayload == "" {
		return nil
	}
	content, err := payload.Load(path.GetFullPath(t.spec.JSONPayload, t.dir()))
	if err != nil {
		return fmt.Errorf("read the payload: %w", err)
	}
	object, ok := content.(map[string]any)
	if !ok {
		return fmt.Errorf("read the payload %s: it is no object", t.spec.JSONPayload)
	}
	in.payload = &unstructured.Unstructured{Object: object}
	return nil
}

func (t Test) readExceptions(in *inputs) (err error) {
	if in.exceptions, err = exception.Load(t.paths(t.spec.PolicyExceptions)...); err != nil {
		return fmt.Errorf("read the exceptions: %w", err)
	}
	if len(in.policies.VAPs) > 0 && len(in.exceptions.Exceptions) > 0 {
		return errors.New("exceptions do not apply to a ValidatingAdmissionPolicy: test it in a suite of its own")
	}
	return nil
}

func (t Test) readContext(in *inputs) error {
	if t.spec.Context == "" {
		return nil
	}
	found, err := context.Load(nil, path.GetFullPath(t.spec.Context, t.dir()))
	if err != nil {
		return fmt.Errorf("read the context: %w", err)
	}
	for i := range found.Resources {
		in.context = append(in.context, &found.Resources[i])
	}
	return nil
}

func (t Test) paths(paths []string) []string { return path.GetFullPaths(paths, t.dir(), false) }

func (in *inputs) warn(format string, args ...any) {
	in.warnings = append(in.warnings, fmt.Sprintf(format, args...))
}
