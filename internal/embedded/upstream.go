package embedded

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"

	"github.com/controlbackbone/backbone/bootstrap/helm"
)

// upstream finds a component's own manifests in the Go module that its programs
// are built from, so that the two never differ in version.
type upstream interface {
	manifests(ctx context.Context, from module, values []byte) ([]byte, error)
}

// moduleFile is a file of manifests in a module.
type moduleFile struct{ module, path string }

func (f moduleFile) manifests(ctx context.Context, from module, _ []byte) ([]byte, error) {
	dir, err := from.dependency(ctx, f.module)
	if err != nil {
		return nil, err
	}
	return os.ReadFile(filepath.Join(dir, filepath.FromSlash(f.path)))
}

// moduleKustomization is a folder with a kustomization in a module.
type moduleKustomization struct{ module, path string }

func (k moduleKustomization) manifests(ctx context.Context, from module, _ []byte) ([]byte, error) {
	dir, err := from.dependency(ctx, k.module)
	if err != nil {
		return nil, err
	}
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), filepath.Join(dir, filepath.FromSlash(k.path)))
	if err != nil {
		return nil, err
	}
	return resources.AsYaml()
}

// moduleChart is a Helm chart in a module, rendered with the values of the
// component's profile, and a file with its CustomResourceDefinitions.
type moduleChart struct{ module, chart, crds string }

func (c moduleChart) manifests(ctx context.Context, from module, values []byte) ([]byte, error) {
	dir, err := from.dependency(ctx, c.module)
	if err != nil {
		return nil, err
	}
	definitions, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(c.crds)))
	if err != nil {
		return nil, err
	}
	var settings map[string]any
	if err := yaml.Unmarshal(values, &settings); err != nil {
		return nil, fmt.Errorf("read the chart's values: %w", err)
	}
	name := path.Base(c.chart)
	objects, err := helm.Chart{FS: os.DirFS(filepath.Join(dir, filepath.FromSlash(c.chart))), ReleaseName: name, Namespace: name, Values: settings}.Objects(ctx)
	if err != nil {
		return nil, err
	}
	manifests := bytes.NewBuffer(definitions)
	for _, object := range objects {
		text, err := yaml.Marshal(object.Object)
		if err != nil {
			return nil, fmt.Errorf("encode %s %s: %w", object.GetKind(), object.GetName(), err)
		}
		fmt.Fprintf(manifests, "\n---\n%s", text)
	}
	return manifests.Bytes(), nil
}

// dependency is the directory of a module that m is built from.
func (m module) dependency(ctx context.Context, path string) (string, error) {
	source, err := m.dir()
	if err != nil {
		return "", err
	}
	// Also fetches it, should the programs come from the cache of an earlier build.
	cmd := exec.CommandContext(ctx, "go", "mod", "download", "-json", path)
	cmd.Dir = source
	cmd.Env = append(os.Environ(), "GOWORK=off")
	out, err := cmd.Output()
	var found struct{ Dir, Error string }
	if decodeErr := json.Unmarshal(out, &found); err != nil || decodeErr != nil || found.Dir == "" {
		return "", fmt.Errorf("find the module %s: %w: %s", path, errors.Join(err, decodeErr), found.Error)
	}
	return found.Dir, nil
}
