package policy

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// PodSecurityCheck asks for pods that keep to a level of the Pod Security Standards.
type PodSecurityCheck struct {
	// Level of the standards. Required.
	Level PodSecurityLevel
	// Version of the standards: v1.19 to v1.29, with Kyverno 1.17 and later to v1.32, or latest. Default: latest.
	Version string
	// Exclude are controls that pods need not keep to.
	Exclude []PodSecurityExclusion
}

// PodSecurityLevel is a level of the Pod Security Standards.
type PodSecurityLevel string

// The levels of the Pod Security Standards.
const (
	PodSecurityPrivileged PodSecurityLevel = "privileged"
	PodSecurityBaseline   PodSecurityLevel = "baseline"
	PodSecurityRestricted PodSecurityLevel = "restricted"
)

// PodSecurityExclusion is a control of the Pod Security Standards that pods need not keep to.
type PodSecurityExclusion struct {
	// Control by its name in the standards, such as "Capabilities". Required.
	Control string
	// Images whose containers are excluded, in which "*" and "?" are wildcards. Required by controls on containers,
	// forbidden by those on pods; those on both exclude the pod without images.
	Images []string
	// Field of the pod, such as "spec.containers[*].securityContext.capabilities.add". Default: all of the control's.
	Field string
	// Values of Field that are excluded. Required with Field.
	Values []string
}

// The controls, by what they are on.
// kyverno: config/crds/kyverno/kyverno.io_clusterpolicies.yaml; pkg/pss/utils/mapping.go
var (
	podSecurityControls = []string{
		"HostProcess", "Host Namespaces", "Privileged Containers", "Capabilities", "HostPath Volumes", "Host Ports", "AppArmor",
		"SELinux", "/proc Mount Type", "Seccomp", "Sysctls", "Volume Types", "Privilege Escalation", "Running as Non-root",
		"Running as Non-root user",
	}
	podControls       = []string{"Host Namespaces", "HostPath Volumes", "Sysctls", "Volume Types"}
	containerControls = []string{"Capabilities", "Privileged Containers", "Host Ports", "/proc Mount Type", "Privilege Escalation"}
	// restrictedOnly are not part of the level baseline.
	restrictedOnly = []string{"Volume Types", "Privilege Escalation", "Running as Non-root", "Running as Non-root user"}
)

// The versions of the standards that the CRDs of 1.15.2 and of 1.17.1 know. When the newer came is inferred.
const (
	oldestPodSecurity      = 19
	newestPodSecurity      = 29
	newestPodSecurityLater = 32
)

func podSecurityVersions() []string {
	versions := []string{"latest"}
	for minor := oldestPodSecurity; minor <= newestPodSecurityLater; minor++ {
		versions = append(versions, fmt.Sprintf("v1.%d", minor))
	}
	return versions
}

// firstVersion returns the release that knows the version of the standards, if not all do.
func (c PodSecurityCheck) firstVersion() (Version, bool) {
	for minor := newestPodSecurity + 1; minor <= newestPodSecurityLater; minor++ {
		if c.Version == fmt.Sprintf("v1.%d", minor) {
			return firstStable, true
		}
	}
	return Version{}, false
}

func (c PodSecurityCheck) validateCheck(path *field.Path, _ int) field.ErrorList {
	faults := object.RequiredText(path.Child("level"), string(c.Level))
	faults = append(faults, validateChoice(path.Child("level"), c.Level,
		PodSecurityPrivileged, PodSecurityBaseline, PodSecurityRestricted)...)
	faults = append(faults, validateChoice(path.Child("version"), c.Version, podSecurityVersions()...)...)
	faults = append(faults, validateExclusions(path.Child("exclude"), c.Exclude)...)
	for i, exclusion := range c.Exclude {
		if c.Level == PodSecurityBaseline && slices.Contains(restrictedOnly, exclusion.Control) {
			faults = append(faults, field.Invalid(path.Child("exclude").Index(i).Child("control"), exclusion.Control, "the level baseline has no such control"))
		}
	}
	return faults
}

// kyverno: api/kyverno/v1/common_types.go, PodSecurityStandard.Validate
func validateExclusions(path *field.Path, exclusions []PodSecurityExclusion) field.ErrorList {
	var faults field.ErrorList
	for i, exclusion := range exclusions {
		at := path.Index(i)
		faults = append(faults, object.RequiredText(at.Child("control"), exclusion.Control)...)
		faults = append(faults, validateChoice(at.Child("control"), exclusion.Control, podSecurityControls...)...)
		switch {
		case len(exclusion.Images) == 0 && slices.Contains(containerControls, exclusion.Control):
			faults = append(faults, field.Required(at.Child("images"), "the control is on containers"))
		case len(exclusion.Images) > 0 && slices.Contains(podControls, exclusion.Control):
			faults = append(faults, field.Forbidden(at.Child("images"), "the control is on pods"))
		}
		faults = append(faults, validateTexts(at.Child("images"), exclusion.Images)...)
		faults = append(faults, object.Text(at.Child("field"), exclusion.Field)...)
		switch {
		case exclusion.Field != "" && len(exclusion.Values) == 0:
			faults = append(faults, field.Required(at.Child("values"), "they are those of the field that are excluded"))
		case exclusion.Field == "" && len(exclusion.Values) > 0:
			faults = append(faults, field.Required(at.Child("field"), "it is the one whose values are excluded"))
		}
		for j, value := range exclusion.Values {
			faults = append(faults, object.Text(at.Child("values").Index(j), value)...)
		}
	}
	return faults
}

func (c PodSecurityCheck) buildCheck() (string, any) {
	return "podSecurity", object.Compact(map[string]any{
		"level": c.Level, "version": c.Version, "exclude": buildExclusions(c.Exclude),
	})
}

func buildExclusions(exclusions []PodSecurityExclusion) []any {
	out := make([]any, len(exclusions))
	for i, exclusion := range exclusions {
		out[i] = object.Compact(map[string]any{
			"controlName": exclusion.Control, "images": exclusion.Images,
			"restrictedField": exclusion.Field, "values": exclusion.Values,
		})
	}
	return out
}
