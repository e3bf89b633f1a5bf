package flow

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

// Flow is what the stages share.
type Flow struct {
	// Target and Client are the cluster and an administrator's client of it.
	Target target.Target
	Client client.WithWatch
	// Repository is nil before CreateRepository.
	Repository *Repository
	// RepositoryURL is where the cluster finds the repository.
	RepositoryURL string
	// Commit is the newest commit that the cluster is to show.
	Commit string

	options options
	// workDir holds the git repository.
	workDir string
	servers []*server
	// retained is set when what explains a failure, or was asked for, stays.
	retained bool
}

// run runs the whole flow and prints its closing table.
func run(ctx context.Context, example Example, options options, out *os.File) (err error) {
	if err := requireGit(); err != nil {
		return err
	}
	workDir, err := os.MkdirTemp("", "backbone-platform-")
	if err != nil {
		return fmt.Errorf("make a directory for the git repository: %w", err)
	}
	f := &Flow{options: options, workDir: workDir}
	defer func() { err = errors.Join(err, f.close(context.WithoutCancel(ctx))) }()

	outcomes, err := runStages(ctx, f.stages(example), newDisplay(out, options.verbose))
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
func (f *Flow) stages(example Example) []Stage {
	all := []Stage{{Name: "cluster", Run: f.clusterStage}, {Name: "bootstrap", Run: f.bootstrapStage}}
	return slices.DeleteFunc(append(all, example.Stages(f)...), func(stage Stage) bool {
		return slices.ContainsFunc(stage.Needs, func(need embedded.Component) bool {
			return !slices.Contains(f.options.components, need)
		})
	})
}

// explain prints what the cluster knows about a failure.
func (f *Flow) explain(ctx context.Context, out *os.File) {
	if f.Target == nil {
		return
	}
	client, err := kubernetes.NewForConfig(f.Target.Config())
	if err != nil {
		fmt.Fprintf(out, "evidence: %v\n", err)
		return
	}
	printEvidence(ctx, client, out)
}

// whereabouts says where to look further, and whether that stays.
func (f *Flow) whereabouts(out *os.File, stays bool) {
	if f.Target == nil {
		return
	}
	state := "removed at the end; --keep leaves them"
	if stays {
		state = "kept"
	}
	fmt.Fprintf(out, "kubeconfig %s, repository %s, logs %s (%s)\n", f.Target.Kubeconfig(), f.workDir, f.Target.LogDir(), state)
}

// retain leaves everything in place that close would remove.
func (f *Flow) retain() {
	f.retained = true
	if f.Target != nil {
		f.Target.Retain()
	}
}

// close ends what Serve began, while its handlers still have their cluster, ends the cluster and removes what is not retained.
func (f *Flow) close(ctx context.Context) error {
	var errs []error
	for _, server := range f.servers {
		errs = append(errs, server.stop(ctx))
	}
	if f.Target != nil {
		errs = append(errs, f.Target.Stop(ctx))
	}
	if !f.retained {
		errs = append(errs, os.RemoveAll(f.workDir))
	}
	return errors.Join(errs...)
}
