package embedded

import (
	"fmt"
	"maps"
	"slices"
)

// Component is something a platform installs once, that this target can run.
type Component string

// The components of the backbone, and NATS, which carries the events.
const (
	ArgoCD          Component = "argocd"
	Kyverno         Component = "kyverno"
	ExternalSecrets Component = "externalsecrets"
	Vault           Component = "vault"
	ArgoEvents      Component = "argoevents"
	NATS            Component = "nats"
)

// ArgoWorkflows runs the Workflows that events start. Only some flows need it.
const ArgoWorkflows Component = "argoworkflows"

// The parts of Kyverno that only some flows need, each beside [Kyverno].
const (
	// KyvernoReports scans existing resources and writes policy reports.
	KyvernoReports Component = "kyverno-reports"
	// KyvernoCleanup carries out clean-up and deleting policies and deletes resources whose time to live is over.
	KyvernoCleanup Component = "kyverno-cleanup"
)

// versions are those of the programs and of the manifests.
var versions = map[Component]string{
	ArgoCD:          "v2.14.21",
	Kyverno:         "v1.15.2",
	ExternalSecrets: "v0.19.2",
	Vault:           "v1.21.4",
	ArgoEvents:      "v1.9.10",
	ArgoWorkflows:   "v3.7.3",
	NATS:            "v2.10.29",
	KyvernoReports:  "v1.15.2",
	KyvernoCleanup:  "v1.15.2",
}

// component is how the target runs one.
type component struct {
	module module
	// images maps each image of the component's manifests to the command it
	// runs when a container names none.
	images map[string][]string
	// upstream finds the manifests; nil when the profile holds them all.
	upstream upstream
	// optional says that only some flows need it, and leaves it out of [Components].
	optional bool
}

var components = map[Component]component{
	ArgoCD: {
		module: module{
			name: "argocd",
			// The tool is Helm, which the repo-server calls.
			packages: []string{".", "tool"},
			commands: []string{"argocd-git-ask-pass", "kustomize", "redis-server"},
			versions: []string{"github.com/argoproj/argo-cd/v2/common.version=2.14.21"},
		},
		images: map[string][]string{
			"quay.io/argoproj/argocd:v2.14.21": {"argocd"},
			"redis:7.2.11-alpine":              {"redis-server"},
		},
		upstream: moduleFile{module: "github.com/argoproj/argo-cd/v2", path: "manifests/install.yaml"},
	},
	Kyverno: {
		module: kyvernoModule,
		images: map[string][]string{
			"reg.kyverno.io/kyverno/kyvernopre:v1.15.2":            {"kyverno-init"},
			"reg.kyverno.io/kyverno/kyverno:v1.15.2":               {"kyverno"},
			"reg.kyverno.io/kyverno/background-controller:v1.15.2": {"background-controller"},
		},
		upstream: kyvernoManifests,
	},
	KyvernoReports: {
		module:   kyvernoModule,
		images:   map[string][]string{"reg.kyverno.io/kyverno/reports-controller:v1.15.2": {"reports-controller"}},
		upstream: kyvernoManifests,
		optional: true,
	},
	KyvernoCleanup: {
		module:   kyvernoModule,
		images:   map[string][]string{"reg.kyverno.io/kyverno/cleanup-controller:v1.15.2": {"cleanup-controller"}},
		upstream: kyvernoManifests,
		optional: true,
	},
	ExternalSecrets: {
		module:   module{name: "externalsecrets"},
		images:   map[string][]string{"oci.external-secrets.io/external-secrets/external-secrets:v0.19.2": {"externalsecrets"}},
		upstream: moduleChart{module: "github.com/external-secrets/external-secrets", chart: "deploy/charts/external-secrets", crds: "deploy/crds/bundle.yaml"},
	},
	Vault: {
		module: module{name: "vault"},
		images: map[string][]string{"hashicorp/vault:1.21.4": {"vault"}},
	},
	ArgoEvents: {
		module:   argoEventsModule,
		images:   map[string][]string{"quay.io/argoproj/argo-events:v1.9.10": {"argoevents"}},
		upstream: moduleFile{module: "github.com/argoproj/argo-events", path: "manifests/install.yaml"},
	},
	ArgoWorkflows: {
		module: argoWorkflowsModule,
		images: map[string][]string{
			"quay.io/argoproj/workflow-controller:v3.7.3": {"workflow-controller"},
			"quay.io/argoproj/argoexec:v3.7.3":            {"argoexec"},
		},
		upstream: moduleKustomization{module: argoWorkflows, path: "manifests/cluster-install"},
		optional: true,
	},
	NATS: {
		module: argoEventsModule,
		images: map[string][]string{"nats:2.10.29": {"nats-server"}},
	},
}

// kyvernoModule builds all of Kyverno's controllers, which share nearly all their code.
var (
	kyvernoModule    = module{name: "kyverno", packages: []string{"tool"}}
	kyvernoManifests = moduleFile{module: "github.com/kyverno/kyverno", path: "config/install-latest-testing.yaml"}
)

// rootedAt leads a path below the directory that stands in for the root of a container.
const rootedAt = `os.Getenv("BACKBONE_ROOT")+`

// argoEventsModule also holds the NATS server that Argo Events is tested with.
var argoEventsModule = module{
	name: "argoevents", commands: []string{"nats-server"},
	// Where event sources and sensors read the Secrets and ConfigMaps that the controller mounts.
	edits: []edit{{
		module: "github.com/argoproj/argo-events", file: "pkg/shared/util/util.go",
		old: `fmt.Sprintf("/argo-events/`, new: `fmt.Sprintf(` + rootedAt + `"/argo-events/`,
	}},
}

const (
	argoWorkflows = "github.com/argoproj/argo-workflows/v3"
	runArgo       = "common.VarRunArgoPath"
)

// argoWorkflowsModule is the controller, and the executor that it puts into the pods of Workflows.
var argoWorkflowsModule = module{
	name: "argoworkflows", packages: []string{"tool"},
	edits: []edit{
		{module: argoWorkflows, file: "cmd/workflow-controller/main.go", old: `":6060"`, new: `"127.0.0.1:"+os.Getenv("HEALTH_PORT")`},
		// The directory that the containers of a pod share.
		{module: argoWorkflows, file: "cmd/argoexec/commands/emissary.go", old: "= " + runArgo, new: "= " + rootedAt + runArgo},
		{module: argoWorkflows, file: "workflow/executor/emissary/binary.go", old: runArgo, new: rootedAt + runArgo},
		{module: argoWorkflows, file: "workflow/executor/emissary/emissary.go", old: runArgo, new: rootedAt + runArgo},
		{module: argoWorkflows, file: "workflow/executor/osspecific/signal_linux.go", target: "workflow/executor/osspecific/signal_darwin.go"},
	},
}

// Components lists all components, in alphabetical order, without those that only some flows need.
func Components() []Component {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(components)), func(name Component) bool {
		return components[name].optional
	})
}

// Version is the version of the component's programs and manifests, such as "v2.14.21".
func (c Component) Version() string { return versions[c] }

func lookup(name Component) (component, error) {
	found, ok := components[name]
	if !ok {
		return component{}, fmt.Errorf("unknown component %q: want one of %q", name, slices.Sorted(maps.Keys(components)))
	}
	return found, nil
}
