package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/controlbackbone/backbone/internal/embedded"
	"github.com/controlbackbone/backbone/internal/target"
)

const (
	targetEmbedded   = "embedded"
	targetKubeconfig = "kubeconfig"
)

// flow is what the stages share.
type flow struct {
	options options
	// workDir holds the git repository.
	workDir string
	target  target.Target
	client  client.WithWatch
	// repository is set by the repository stage.
	repository *repository
	// repositoryURL is where the cluster finds it.
	repositoryURL string
	// commit is the newest commit that the cluster is to show.
	commit string
	// retained is set when what explains a failure, or was asked for, stays.
	retained bool
}

// run runs the whole flow and prints its closing table.
func run(ctx context.Context, options options, out *os.File) (err error) {
	if err := requireGit(); err != nil {
		return err
	}
	workDir, err := os.MkdirTemp("", "backbone-platform-")
	if err != nil {
		return fmt.Errorf("make a directory for the git repository: %w", err)
	}
	f := &flow{options: options, workDir: workDir}
	defer func() { err = errors.Join(err, f.close(context.WithoutCancel(ctx))) }()

	outcomes, err := runStages(ctx, f.stages(), newDisplay(out, options.verbose))
	if err != nil {
		f.explain(context.WithoutCancel(ctx), out)
	}
	fmt.Fprintln(out)
	if err := table(out, outcomes); err != nil {
		return err
	}
	// On a cluster that lives on, the Applications still need their repository.
	stays := err != nil || options.keep || options.target == targetKubeconfig
	f.whereabouts(out, stays)
	if stays {
		f.retain()
	}
	if err == nil && options.keep && options.target == targetEmbedded {
		fmt.Fprintln(out, "the cluster stays up; interrupt this program to end it")
		<-ctx.Done()
	}
	return err
}

// stages are those of the flow whose components are installed.
func (f *flow) stages() []stage {
	all := []struct {
		stage
		needs []embedded.Component
	}{
		{stage: stage{"cluster", f.clusterStage}},
		{stage: stage{"bootstrap", f.bootstrapStage}},
		{stage{"repository", f.repositoryStage}, []embedded.Component{embedded.ArgoCD}},
		{stage{"gitops", f.gitopsStage}, []embedded.Component{embedded.ArgoCD}},
		{stage{"policy", f.policyStage}, []embedded.Component{embedded.Kyverno}},
		{stage{"secrets", f.secretsStage}, []embedded.Component{embedded.Vault, embedded.ExternalSecrets}},
		{stage{"drift", f.driftStage}, []embedded.Component{embedded.ArgoCD}},
		{stage{"eventing", f.eventingStage}, []embedded.Component{embedded.ArgoCD, embedded.NATS, embedded.ArgoEvents}},
	}
	var stages []stage
	for _, s := range all {
		missing := slices.ContainsFunc(s.needs, func(need embedded.Component) bool {
			return !slices.Contains(f.options.components, need)
		})
		if !missing {
			stages = append(stages, s.stage)
		}
	}
	return stages
}

// explain prints what the cluster knows about a failure.
func (f *flow) explain(ctx context.Context, out *os.File) {
	if f.target == nil {
		return
	}
	client, err := kubernetes.NewForConfig(f.target.Config())
	if err != nil {
		fmt.Fprintf(out, "evidence: %v\n", err)
		return
	}
	printEvidence(ctx, client, out)
}

// whereabouts says where to look further, and whether that stays.
func (f *flow) whereabouts(out *os.File, stays bool) {
	if f.target == nil {
		return
	}
	state := "removed at the end; --keep leaves them"
	if stays {
		state = "kept"
	}
	fmt.Fprintf(out, "kubeconfig %s, repository %s, logs %s (%s)\n", f.target.Kubeconfig(), f.workDir, f.target.LogDir(), state)
}

// retain leaves everything in place that close would remove.
func (f *flow) retain() {
	f.retained = true
	if f.target != nil {
		f.target.Retain()
	}
}

// close ends the cluster and removes what is not retained.
func (f *flow) close(ctx context.Context) error {
	var errs []error
	if f.target != nil {
		errs = append(errs, f.target.Stop(ctx))
	}
	if !f.retained {
		errs = append(errs, os.RemoveAll(f.workDir))
	}
	return errors.Join(errs...)
}
