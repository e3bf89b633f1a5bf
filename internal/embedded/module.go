package embedded

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// module is a nested Go module under binaries/ whose programs the target runs.
type module struct {
	// name is the module's directory under binaries/.
	name string
	// packages are the main packages to build, "tool" for those of the tool
	// directives in go.mod; default: the module's own.
	packages []string
	// commands are the names under which the one program of a multi-call
	// module is called; none when the packages are programs of their own.
	commands []string
	// versions are `-X` linker settings.
	versions []string
	// edits change upstream's files.
	edits []edit
}

var kubernetesModule = module{
	name:     "kubernetes",
	commands: []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"},
	// Built from the module proxy, Kubernetes does not know its version, and
	// clients refuse the placeholder it would report.
	versions: []string{
		"k8s.io/component-base/version.gitVersion=" + KubernetesVersion,
		"k8s.io/component-base/version.gitMajor=1",
		"k8s.io/component-base/version.gitMinor=37",
		"k8s.io/client-go/pkg/version.gitVersion=" + KubernetesVersion,
	},
}

var nodeModule = module{name: "node"}

// dir is the module's source directory in the checkout.
func (m module) dir() (string, error) {
	root, err := sourceRoot()
	if err != nil {
		return "", err
	}
	return filepath.Join(root, "binaries", m.name), nil
}

// sourceRoot is the directory of this package's source. The nested modules lie
// below it: they are no part of what the module proxy serves of this one.
func sourceRoot() (string, error) {
	_, file, _, ok := runtime.Caller(0)
	dir := filepath.Dir(file)
	if _, err := os.Stat(filepath.Join(dir, "binaries")); !ok || err != nil {
		return "", errors.New("the sources of the embedded target are not on this machine: run from a git checkout of Backbone, without -trimpath")
	}
	return dir, nil
}

// arguments are those of the `go build` that writes the programs into dir, with another go.mod unless
// that is empty.
func (m module) arguments(dir, modfile string) []string {
	flags := "-s -w"
	for _, version := range m.versions {
		flags += " -X " + version
	}
	packages := m.packages
	if len(packages) == 0 {
		packages = []string{"."}
	}
	arguments := []string{"build", "-v", "-mod=readonly", "-buildvcs=false", "-ldflags=" + flags, "-o", dir + string(filepath.Separator)}
	if modfile != "" {
		arguments = append(arguments, "-modfile="+modfile)
	}
	return append(arguments, packages...)
}

// key changes whenever the programs could: with the module's sources, sums and
// flags, the Go version, and the platform.
func (m module) key(goVersion string) (string, error) {
	dir, err := m.dir()
	if err != nil {
		return "", err
	}
	hash := sha256.New()
	fmt.Fprintln(hash, goVersion, runtime.GOOS, runtime.GOARCH, m.arguments("", ""), m.commands, m.edits)
	err = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		if name := entry.Name(); strings.HasSuffix(name, "_test.go") || !(strings.HasSuffix(name, ".go") || strings.HasPrefix(name, "go.")) {
			return nil
		}
		relative, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		fmt.Fprintln(hash, relative)
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		defer file.Close()
		_, err = io.Copy(hash, file)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("read the module %s: %w", m.name, err)
	}
	return hex.EncodeToString(hash.Sum(nil))[:16], nil
}
