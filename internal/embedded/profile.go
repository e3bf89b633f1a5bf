package embedded

import (
	"bytes"
	"context"
	"crypto/rand"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"sync"
	"text/template"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// profiles holds, per component, the kustomization that fits the upstream
// manifests to this target.
//
//go:embed profiles
var profiles embed.FS

const (
	// upstreamName is the name under which a kustomization finds the upstream manifests.
	upstreamName = "upstream.yaml"
	// valuesName is the profile's file with the values of an upstream chart.
	valuesName = "values.yaml"
)

// Manifests returns the objects that install a component on this cluster: the
// upstream manifests of its version, changed only as its profile says. Only the
// components named in [Options] can be asked for.
func (c *Cluster) Manifests(ctx context.Context, name Component) ([]*unstructured.Unstructured, error) {
	if !c.available[name] {
		return nil, fmt.Errorf("component %q was not named when the cluster was started", name)
	}
	return Render(ctx, name, profiles, path.Join("profiles", string(name)), template.FuncMap{
		"port": c.Port, "apiServer": c.plane.url, "token": c.tokens.token,
		"available": func(name string) bool { return c.available[Component(name)] },
	})
}

// Render returns a component's upstream manifests as a kustomization changes
// them. The files of the profile, a directory of files, are Go templates with
// the functions.
func Render(ctx context.Context, name Component, files fs.FS, profile string, functions template.FuncMap) ([]*unstructured.Unstructured, error) {
	component, err := lookup(name)
	if err != nil {
		return nil, err
	}
	memory := filesys.MakeFsInMemory()
	if err := fill(files, profile, functions, memory); err != nil {
		return nil, fmt.Errorf("read the profile of %s: %w", name, err)
	}
	if component.upstream != nil {
		values, err := memory.ReadFile(path.Join(profile, valuesName))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("read the profile of %s: %w", name, err)
		}
		manifests, err := component.upstream.manifests(ctx, component.module, values)
		if err != nil {
			return nil, fmt.Errorf("read the manifests of %s: %w", name, err)
		}
		if err := memory.WriteFile(path.Join(profile, upstreamName), manifests); err != nil {
			return nil, err
		}
	}
	return kustomize(name, memory, profile)
}

func kustomize(name Component, files filesys.FileSystem, profile string) ([]*unstructured.Unstructured, error) {
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(files, profile)
	if err != nil {
		return nil, fmt.Errorf("kustomize the manifests of %s: %w", name, err)
	}
	var objects []*unstructured.Unstructured
	for _, resource := range resources.Resources() {
		// Through JSON, whose numbers are the ones that Kubernetes objects may hold.
		object := &unstructured.Unstructured{}
		encoded, err := resource.MarshalJSON()
		if err == nil {
			err = object.UnmarshalJSON(encoded)
		}
		if err != nil {
			return nil, fmt.Errorf("kustomize the manifests of %s: %s: %w", name, resource.CurId(), err)
		}
		objects = append(objects, object)
	}
	return objects, nil
}

// fill executes the templates of a profile.
func fill(files fs.FS, profile string, functions template.FuncMap, into filesys.FileSystem) error {
	return fs.WalkDir(files, profile, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		parsed, err := template.New(path.Base(name)).Funcs(functions).ParseFS(files, name)
		if err != nil {
			return err
		}
		var filled bytes.Buffer
		if err := parsed.Execute(&filled, nil); err != nil {
			return err
		}
		return into.WriteFile(name, filled.Bytes())
	})
}

// tokens are the random secrets of one cluster, by name.
type tokens struct {
	mu    *sync.Mutex
	named map[string]string
}

func newTokens() tokens { return tokens{mu: &sync.Mutex{}, named: map[string]string{}} }

func (t tokens) token(name string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.named[name] == "" {
		t.named[name] = rand.Text()
	}
	return t.named[name]
}
