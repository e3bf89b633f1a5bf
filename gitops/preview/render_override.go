package preview

import (
	"encoding/json"
	"errors"
	"io/fs"
	"path"

	"github.com/argoproj/argo-cd/v2/pkg/apis/application/v1alpha1"
	"sigs.k8s.io/yaml"
)

// override merges .argocd-source.yaml and .argocd-source-<instance>.yaml of the folder into the source (argo-cd:
// reposerver/repository/repository.go, mergeSourceParameters).
func (s *sourceContent) override() error {
	merged := s.source
	for _, name := range []string{".argocd-source.yaml", ".argocd-source-" + s.instance + ".yaml"} {
		file := path.Join(s.dir, name)
		if info, err := fs.Stat(s.fsys, file); errors.Is(err, fs.ErrNotExist) || err == nil && info.IsDir() {
			continue
		}
		data, err := readFile(s.fsys, file)
		if err != nil {
			return err
		}
		patch := map[string]any{}
		if err := yaml.Unmarshal(data, &patch); err != nil {
			return contentError(file, err)
		}
		if merged, err = mergeSource(merged, patch); err != nil {
			return contentError(file, err)
		}
	}
	merged.Chart, merged.Path, merged.RepoURL, merged.TargetRevision = s.source.Chart, s.source.Path, s.source.RepoURL, s.source.TargetRevision
	s.source = merged
	return nil
}

// mergeSource applies a JSON merge patch.
func mergeSource(source v1alpha1.ApplicationSource, patch map[string]any) (v1alpha1.ApplicationSource, error) {
	data, err := json.Marshal(source)
	if err != nil {
		return source, err
	}
	fields := map[string]any{}
	if err := json.Unmarshal(data, &fields); err != nil {
		return source, err
	}
	mergeInto(fields, patch)
	if data, err = json.Marshal(fields); err != nil {
		return source, err
	}
	var merged v1alpha1.ApplicationSource
	err = json.Unmarshal(data, &merged)
	return merged, err
}

func mergeInto(fields, patch map[string]any) {
	for name, value := range patch {
		nested, isMap := value.(map[string]any)
		switch {
		case value == nil:
			delete(fields, name)
		case isMap:
			into, ok := fields[name].(map[string]any)
			if !ok {
				into = map[string]any{}
				fields[name] = into
			}
			mergeInto(into, nested)
		default:
			fields[name] = value
		}
	}
}
