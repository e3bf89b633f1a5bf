// Command preview shows what a change of a GitOps repository does before it is merged: which Applications, and which
// resources of theirs, are created, changed and deleted. It needs no cluster and no network, and touches no working tree.
//
//	go run ./examples/preview --repo . --base main --head HEAD
//
// Without arguments it previews a small repository that it makes up.
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

	"github.com/controlbackbone/backbone/gitops/preview"
)

// exitDeletions is the exit code of --fail-on-deletion.
const exitDeletions = 2

var errDeletions = errors.New("the change deletes Applications or resources")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	options, err := parse(os.Args[1:], os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err == nil {
		err = run(ctx, options, os.Stdout, os.Stderr)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "preview:", err)
	}
	switch {
	case errors.Is(err, errDeletions):
		os.Exit(exitDeletions)
	case err != nil:
		os.Exit(1)
	}
}

// options are the command line's.
type options struct {
	repo, base, head string
	repoURL          string
	paths, folders   []string
	output           string
	noRender         bool
	failOnDeletion   bool
}

func parse(arguments []string, usage io.Writer) (options, error) {
	var o options
	var paths, folders string
	flags := flag.NewFlagSet("preview", flag.ContinueOnError)
	flags.SetOutput(usage)
	flags.StringVar(&o.repo, "repo", "", "the git repository, bare or with a working tree; default: a small one that is made up")
	flags.StringVar(&o.base, "base", "", "the `revision` to compare with")
	flags.StringVar(&o.head, "head", "HEAD", "the `revision` that is to be merged")
	flags.StringVar(&o.repoURL, "repo-url", "", "the `URL` by which Argo CD knows the repository; default: the only one that its objects name")
	flags.StringVar(&paths, "path", "", "where the repository declares Applications, ApplicationSets and AppProjects: a comma-separated `list` of files, folders and patterns; default: everywhere")
	flags.StringVar(&folders, "folders", "", "for a repository that declares nothing: the groups below K8s/, a comma-separated `list`; default: every folder there")
	flags.StringVar(&o.output, "output", "text", "text, json, or markdown (for a comment on a pull request)")
	flags.BoolVar(&o.noRender, "no-render", false, "compare the Applications only, not what they deploy")
	flags.BoolVar(&o.failOnDeletion, "fail-on-deletion", false, fmt.Sprintf("exit with code %d if anything is deleted", exitDeletions))
	if err := flags.Parse(arguments); err != nil {
		return options{}, err
	}
	if flags.NArg() > 0 {
		return options{}, fmt.Errorf("unexpected argument %q: see --help", flags.Arg(0))
	}
	if o.output != "text" && o.output != "json" && o.output != "markdown" {
		return options{}, fmt.Errorf("--output %q: want text, json or markdown", o.output)
	}
	if o.repo == "" && o.base != "" {
		return options{}, errors.New("--base is for --repo")
	}
	if o.repo != "" && o.base == "" {
		return options{}, errors.New("--repo needs --base, the revision to compare with")
	}
	o.paths, o.folders = list(paths), list(folders)
	return o, nil
}

func list(text string) []string {
	var out []string
	for _, part := range strings.Split(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}

func run(ctx context.Context, o options, out, notes io.Writer) error {
	if o.repo == "" {
		dir, err := os.MkdirTemp("", "preview-")
		if err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(dir) }() // the system's temporary directory is cleaned anyway
		if err := makeRepository(dir); err != nil {
			return fmt.Errorf("make a repository up: %w", err)
		}
		o.repo, o.base, o.head = dir, "HEAD~1", "HEAD"
	}
	base, err := o.side(ctx, o.base)
	if err != nil {
		return fmt.Errorf("base: %w", err)
	}
	head, err := o.side(ctx, o.head)
	if err != nil {
		return fmt.Errorf("head: %w", err)
	}
	if !base.declares && !head.declares {
		return fmt.Errorf("neither revision declares an Application or has a folder in %s: name with --path where it declares them", root)
	}
	changes := preview.Compare(base.state, head.state)
	switch o.output {
	case "json":
		err = changes.JSON(out)
	case "markdown":
		err = changes.Markdown(out)
	default:
		err = changes.Text(out)
	}
	if err != nil {
		return err
	}
	for _, finding := range newFindings(base.findings, head.findings) {
		fmt.Fprintln(notes, finding)
	}
	return verdict(o, changes)
}

// verdict is the error of --fail-on-deletion.
func verdict(o options, changes preview.Changes) error {
	if !o.failOnDeletion {
		return nil
	}
	if applications, resources := changes.Deletions(); applications+resources > 0 {
		return errDeletions
	}
	if len(changes.Failures) > 0 {
		return errors.New("not every Application could be rendered, so there may be deletions that do not show")
	}
	return nil
}
