package gitops

import (
	"regexp"
	"strings"

	"github.com/gobwas/glob"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// SignaturePolicy says how the commits of some repositories must be signed.
type SignaturePolicy struct {
	// Repos are the repositories: URLs or patterns. A pattern that starts with "!" leaves out what it matches. Required.
	Repos []string
	// Mode of the check. Required.
	Mode SignatureMode
	// Keys are the OpenPGP keys that are trusted, by key ID (16 upper-case hexadecimal digits) or fingerprint (40). Argo
	// CD must know them. Required, unless nothing is checked.
	Keys []string
}

// SignatureMode is the extent of a check of signatures.
type SignatureMode string

// The modes that Argo CD knows.
const (
	// CheckNoSignature checks nothing.
	CheckNoSignature SignatureMode = "none"
	// CheckHead checks the revision that is deployed: the annotated tag, or the commit.
	CheckHead SignatureMode = "head"
	// CheckHistory checks every commit before it too, back to the first one or to a sealing commit.
	CheckHistory SignatureMode = "strict"
)

// DestinationServiceAccount is the account that Argo CD acts as when it syncs to some destinations.
type DestinationServiceAccount struct {
	// Server is the URL of the cluster's API server as Argo CD knows it, or a pattern. Default: the cluster that Argo CD
	// runs in.
	Server string
	// Namespace of the destination, or a pattern. Default: destinations without a namespace.
	Namespace string
	// ServiceAccount is the account's name, or "<namespace>:<name>" where it is not in the destination's namespace.
	// Required.
	ServiceAccount string
}

// keyID is written as gpg does: argo-cd (util/sourceintegrity, util/gpg) compares it letter by letter.
var keyID = regexp.MustCompile(`^([0-9A-F]{16}|[0-9A-F]{40})$`)

func validateKeys(path *field.Path, keys []string) field.ErrorList {
	var faults field.ErrorList
	for i, key := range keys {
		if !keyID.MatchString(key) {
			faults = append(faults, field.Invalid(path.Index(i), key, "must be 16 or 40 upper-case hexadecimal digits"))
		}
	}
	return append(faults, validateUnique(path, keys)...)
}

func (p AppProject) validateIntegrity(path *field.Path) field.ErrorList {
	var faults field.ErrorList
	if len(p.SourceIntegrity) > 0 && len(p.SignatureKeys) > 0 {
		faults = append(faults, field.Forbidden(field.NewPath("signatureKeys"), "are ignored beside sourceIntegrity"))
	}
	for i, policy := range p.SourceIntegrity {
		at := path.Index(i)
		if len(policy.Repos) == 0 {
			faults = append(faults, field.Required(at.Child("repos"), `a policy is for some repositories; "*" is all`))
		}
		faults = append(faults, validateUnique(at.Child("repos"), policy.Repos)...)
		switch policy.Mode {
		case CheckNoSignature, CheckHead, CheckHistory:
		default:
			faults = append(faults, field.NotSupported(at.Child("mode"), policy.Mode, []SignatureMode{CheckNoSignature, CheckHead, CheckHistory}))
		}
		if len(policy.Keys) == 0 && policy.Mode != CheckNoSignature {
			faults = append(faults, field.Required(at.Child("keys"), "without a key no commit is accepted"))
		}
		faults = append(faults, validateKeys(at.Child("keys"), policy.Keys)...)
	}
	return faults
}

func (p SignaturePolicy) build() map[string]any {
	repos := make([]map[string]any, len(p.Repos))
	for i, repo := range p.Repos {
		repos[i] = map[string]any{"url": repo}
	}
	// The CRD requires the keys, even where there are none.
	keys := append([]string{}, p.Keys...)
	return map[string]any{"repos": repos, "gpg": map[string]any{"mode": p.Mode, "keys": keys}}
}

// validateServiceAccounts checks as argo-cd: pkg/apis/application/v1alpha1/app_project_types.go, ValidateProject does.
func validateServiceAccounts(path *field.Path, accounts []DestinationServiceAccount) field.ErrorList {
	var faults field.ErrorList
	type destination struct{ server, namespace string }
	seen := map[destination]bool{}
	for i, account := range accounts {
		at := path.Index(i)
		faults = append(faults, validateGlob(at.Child("server"), account.Server)...)
		faults = append(faults, validateGlob(at.Child("namespace"), account.Namespace)...)
		switch {
		case strings.TrimSpace(account.ServiceAccount) == "":
			faults = append(faults, field.Required(at.Child("serviceAccount"), ""))
		case strings.ContainsAny(account.ServiceAccount, `!*[]{}\/`):
			faults = append(faults, field.Invalid(at.Child("serviceAccount"), account.ServiceAccount, "must be a name, and no pattern"))
		}
		faults = append(faults, object.Text(at.Child("serviceAccount"), account.ServiceAccount)...)
		key := destination{server: account.server(), namespace: account.Namespace}
		if seen[key] {
			faults = append(faults, field.Duplicate(at, key.server+"/"+key.namespace))
		}
		seen[key] = true
	}
	return faults
}

func validateGlob(path *field.Path, pattern string) field.ErrorList {
	if strings.Contains(pattern, "!") {
		return field.ErrorList{field.Invalid(path, pattern, "must not deny: accounts are for what they match")}
	}
	if _, err := glob.Compile(pattern); err != nil {
		return field.ErrorList{field.Invalid(path, pattern, err.Error())}
	}
	return object.Text(path, pattern)
}

func (a DestinationServiceAccount) server() string {
	return Destination{Server: a.Server}.serverOrDefault()
}

func (a DestinationServiceAccount) build() map[string]any {
	out := object.Compact(map[string]any{"server": a.server(), "namespace": a.Namespace})
	out["defaultServiceAccount"] = a.ServiceAccount
	return out
}
