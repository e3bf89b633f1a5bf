package embedded

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/gofrs/flock"
)

// cacheVariable names the environment variable that moves the cache directory.
const cacheVariable = "BACKBONE_CACHE"

// builder compiles the nested modules into the cache directory, each once per
// version, also when several processes want it at the same time.
type builder struct {
	cache    string
	progress func(Event)
	// goVersion is what the go command on this machine reports.
	goVersion string
}

// BuildError reports a nested module that could not be compiled.
type BuildError struct {
	// Module is the directory of the module under internal/embedded/binaries.
	Module string
	// Output is the end of what the go command printed.
	Output string
	// Fix says what to do about it.
	Fix string
	// Err is how the go command ended.
	Err error
}

func (e *BuildError) Error() string {
	return fmt.Sprintf("build %s: %v: %s\n%s", e.Module, e.Err, e.Fix, e.Output)
}

func (e *BuildError) Unwrap() error { return e.Err }

// Build compiles Kubernetes, the local node and the components' programs, unless
// the cache holds them already. It returns, by the name of the module, the
// directories of the programs. A module that does not compile is a [*BuildError].
func Build(ctx context.Context, names []Component, progress func(Event)) (map[string]string, error) {
	modules := []module{kubernetesModule, nodeModule}
	for _, name := range names {
		component, err := lookup(name)
		if err != nil {
			return nil, err
		}
		modules = append(modules, component.module)
	}
	cache, err := cacheDir()
	if err != nil {
		return nil, err
	}
	b, err := newBuilder(ctx, cache, progress)
	if err != nil {
		return nil, err
	}
	dirs := map[string]string{}
	for _, m := range modules {
		if dirs[m.name], err = b.build(ctx, m); err != nil {
			return nil, err
		}
	}
	return dirs, nil
}

// cacheDir is where built programs are kept.
func cacheDir() (string, error) {
	if dir := os.Getenv(cacheVariable); dir != "" {
		return filepath.Abs(dir)
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the user's cache directory: %w: name one with %s", err, cacheVariable)
	}
	return filepath.Join(dir, "backbone"), nil
}

func newBuilder(ctx context.Context, cache string, progress func(Event)) (*builder, error) {
	if err := os.MkdirAll(filepath.Join(cache, "bin"), 0o755); err != nil {
		return nil, fmt.Errorf("make the cache directory: %w: make it writable, or name another with %s", err, cacheVariable)
	}
	out, err := exec.CommandContext(ctx, "go", "env", "GOVERSION").Output()
	if err != nil {
		return nil, fmt.Errorf("ask the go command for its version: %w: install Go from https://go.dev/dl and put it on PATH", err)
	}
	return &builder{cache: cache, progress: progress, goVersion: strings.TrimSpace(string(out))}, nil
}

// build returns the directory that holds the module's programs.
func (b *builder) build(ctx context.Context, m module) (string, error) {
	key, err := m.key(b.goVersion)
	if err != nil {
		return "", err
	}
	dir := filepath.Join(b.cache, "bin", m.name+"-"+key)
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	lock := flock.New(dir + ".lock")
	if _, err := lock.TryLockContext(ctx, 200*time.Millisecond); err != nil {
		return "", fmt.Errorf("wait for the build of %s: %w: if the cause is the cache directory, make it writable, or name another with %s", m.name, err, cacheVariable)
	}
	defer lock.Unlock() //nolint:errcheck // the lock ends with the process at the latest
	if _, err := os.Stat(dir); err == nil {
		return dir, nil // another process was faster
	}
	if err := checkSpace(b.cache, buildSpace); err != nil {
		return "", err
	}
	return dir, b.compile(ctx, m, dir)
}

// compile builds into a temporary directory that takes its name only when complete.
func (b *builder) compile(ctx context.Context, m module, dir string) error {
	source, err := m.dir()
	if err != nil {
		return err
	}
	partial, err := os.MkdirTemp(filepath.Dir(dir), ".partial-*")
	if err != nil {
		return fmt.Errorf("make a directory for the build of %s: %w", m.name, err)
	}
	defer os.RemoveAll(partial)

	started := time.Now()
	b.progress(Event{Kind: Building, Name: m.name})
	var output bytes.Buffer
	if err := b.goCommand(ctx, m, source, partial, &output); err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("build %s: %w", m.name, context.Cause(ctx))
		}
		return &BuildError{Module: m.name, Output: lastLines(output.String(), 15), Fix: buildFix(output.String()), Err: err}
	}
	for _, command := range m.commands {
		if err := os.Symlink(m.name, filepath.Join(partial, command)); err != nil {
			return fmt.Errorf("name the program %s: %w", command, err)
		}
	}
	if err := os.Chmod(partial, 0o755); err != nil {
		return err
	}
	if err := os.Rename(partial, dir); err != nil {
		return fmt.Errorf("keep the build of %s: %w", m.name, err)
	}
	b.progress(Event{Kind: Built, Name: m.name, Duration: time.Since(started)})
	return nil
}

// goCommand runs `go build`, turning each package it compiles into progress and
// collecting everything else it prints.
func (b *builder) goCommand(ctx context.Context, m module, source, target string, output *bytes.Buffer) error {
	edited, err := os.MkdirTemp("", "backbone-build-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(edited)
	modfile, err := m.edited(ctx, edited)
	if err != nil {
		return err
	}
	total := b.countPackages(ctx, m, source)
	cmd := b.command(ctx, source, m.arguments(target, modfile)...)
	printed, err := cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	lines := bufio.NewScanner(printed)
	lines.Buffer(nil, 1<<20)
	compiled, downloaded := 0, 0
	for lines.Scan() {
		line := lines.Text()
		switch {
		case strings.HasPrefix(line, "go: downloading "):
			downloaded++
			b.progress(Event{Kind: Building, Name: m.name, Message: "modules downloaded", Done: downloaded})
		case isImportPath(line):
			compiled++
			b.progress(Event{Kind: Building, Name: m.name, Message: "packages compiled", Done: compiled, Total: max(total, compiled)})
		default:
			output.WriteString(line + "\n")
		}
	}
	_, _ = io.Copy(io.Discard, printed)
	return cmd.Wait()
}

// countPackages is how many packages the build has at most; 0 when that cannot be told.
func (b *builder) countPackages(ctx context.Context, m module, source string) int {
	arguments := append([]string{"list", "-mod=readonly", "-deps", "-f", "."}, m.packages...)
	out, err := b.command(ctx, source, arguments...).Output()
	if err != nil {
		return 0 // the build itself will say what is wrong
	}
	return bytes.Count(out, []byte("\n"))
}

func (b *builder) command(ctx context.Context, dir string, arguments ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "go", arguments...)
	cmd.Dir = dir
	// A workspace around the checkout must not change what is built.
	cmd.Env = append(os.Environ(), "GOWORK=off")
	cmd.SysProcAttr = childAttributes()
	// The compilers are the go command's children: cancelling ends the group.
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// isImportPath tells the lines that -v adds from the go command's complaints.
func isImportPath(line string) bool {
	return line != "" && !strings.HasPrefix(line, "#") && !strings.ContainsAny(line, " \t:")
}

// buildFix names the remedy for the failures that have a known one.
func buildFix(output string) string {
	for _, known := range []struct{ sign, fix string }{
		{"no space left on device", "free some disk space"},
		{"requires go >=", "install a newer Go, or let the go command fetch it with GOTOOLCHAIN=auto"},
		{"dial tcp", "make the Go module proxy reachable, see `go help goproxy`"},
		{"checksum mismatch", "run `go clean -modcache` and try again"},
		{"read-only file system", "make the Go caches writable, see `go env GOCACHE GOMODCACHE`"},
		{"permission denied", "make the Go caches writable, see `go env GOCACHE GOMODCACHE`"},
	} {
		if strings.Contains(output, known.sign) {
			return known.fix
		}
	}
	return "the output of the go command says why"
}

func lastLines(text string, count int) string {
	all := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(all[max(0, len(all)-count):], "\n")
}
