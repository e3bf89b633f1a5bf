package preview

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/argoproj/gitops-engine/pkg/utils/kube"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/yaml"
)

var kustomizationNames = []string{"kustomization.yaml", "kustomization.yml", "Kustomization"}

func isKustomization(name string) bool { return slices.Contains(kustomizationNames, name) }

// kustomizing guards the OpenAPI schema of kustomize's libraries, which is global and which every build sets.
var kustomizing sync.Mutex

// renderKustomize builds a kustomization in process, after the edits that the source asks for (argo-cd:
// util/kustomize/kustomize.go).
func (r renderer) renderKustomize(ctx context.Context, content *sourceContent) ([]*unstructured.Unstructured, error) {
	files := newKustomizeFiles(content.fsys)
	if err := content.editKustomization(files); err != nil {
		return nil, err
	}
	kustomizing.Lock()
	defer kustomizing.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(files, files.absolute(content.dir))
	if refused := files.refused(); refused != nil {
		// Kustomize tries a refused file as something else and reports that.
		return nil, fmt.Errorf("kustomize: %w", refused)
	}
	if err != nil {
		return nil, fmt.Errorf("kustomize: %w", withoutValues(err))
	}
	text, err := built.AsYaml()
	if err != nil {
		return nil, fmt.Errorf("kustomize: %w", err)
	}
	objects, err := kube.SplitYAML(text)
	if err != nil {
		return nil, fmt.Errorf("kustomize: %w", withoutValues(err))
	}
	return objects, nil
}

// editKustomization changes the kustomization in memory as `kustomize edit` does on disk.
func (s *sourceContent) editKustomization(files *kustomizeFiles) error {
	if s.source.Kustomize == nil {
		return nil
	}
	name, err := s.kustomization()
	if err != nil {
		return err
	}
	data, err := files.ReadFile(files.absolute(name))
	if err != nil {
		return err
	}
	var kustomization types.Kustomization
	if err := kustomization.Unmarshal(data); err != nil {
		return contentError(name, err)
	}
	kustomization.FixKustomization()
	if err := s.edit(&kustomization, files); err != nil {
		return fmt.Errorf("kustomize: %w", err)
	}
	if data, err = yaml.Marshal(kustomization); err != nil {
		return contentError(name, err)
	}
	return files.WriteFile(files.absolute(name), data)
}

// kustomization is the file that holds the folder's kustomization.
func (s *sourceContent) kustomization() (string, error) {
	for _, name := range kustomizationNames {
		file := path.Join(s.dir, name)
		_, err := fs.Stat(s.fsys, file)
		if err == nil {
			return file, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", contentError(file, err)
		}
	}
	return "", &ContentError{Path: s.dir, Err: fmt.Errorf("has no %s", strings.Join(kustomizationNames, ", "))}
}
