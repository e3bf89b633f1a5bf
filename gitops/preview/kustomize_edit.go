package preview

import (
	"cmp"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/api/pkg/util"
	"sigs.k8s.io/kustomize/api/types"
)

// edit applies what the source says, in Argo CD's order.
func (s *sourceContent) edit(k *types.Kustomization, files *kustomizeFiles) error {
	settings := s.source.Kustomize
	k.NamePrefix = cmp.Or(settings.NamePrefix, k.NamePrefix)
	k.NameSuffix = cmp.Or(settings.NameSuffix, k.NameSuffix)
	for _, image := range settings.Images {
		if err := setImage(k, s.env.Envsubst(string(image))); err != nil {
			return err
		}
	}
	for _, replica := range settings.Replicas {
		count, err := replica.GetIntCount()
		if err != nil {
			return fmt.Errorf("replicas of %s: %w", replica.Name, err)
		}
		k.Replicas = slices.DeleteFunc(k.Replicas, func(own types.Replica) bool { return own.Name == replica.Name })
		k.Replicas = append(k.Replicas, types.Replica{Name: replica.Name, Count: int64(count)})
	}
	labels := map[string]string{}
	for name, value := range settings.CommonLabels {
		labels[name] = s.env.Envsubst(value)
	}
	if err := addLabels(k, labels, settings.ForceCommonLabels, settings.LabelWithoutSelector); err != nil {
		return err
	}
	annotations := map[string]string{}
	for name, value := range settings.CommonAnnotations {
		if settings.CommonAnnotationsEnvsubst {
			value = s.env.Envsubst(value)
		}
		annotations[name] = value
	}
	if len(annotations) > 0 && k.CommonAnnotations == nil {
		k.CommonAnnotations = map[string]string{}
	}
	if err := add(k.CommonAnnotations, annotations, settings.ForceCommonAnnotations, "annotation"); err != nil {
		return err
	}
	k.Namespace = cmp.Or(settings.Namespace, k.Namespace)
	for _, patch := range settings.Patches {
		// The types have the same fields.
		data, err := json.Marshal(patch)
		if err != nil {
			return err
		}
		var own types.Patch
		if err := json.Unmarshal(data, &own); err != nil {
			return err
		}
		k.Patches = append(k.Patches, own)
	}
	for _, component := range settings.Components {
		if remote(component) {
			return fmt.Errorf("component %s: %w: it is not in the repository", maskText(component), ErrOffline)
		}
		if !files.IsDir(files.absolute(path.Join(s.dir, component))) {
			return fmt.Errorf("component %s is no folder of the repository", component)
		}
		if !slices.Contains(k.Components, component) {
			k.Components = append(k.Components, component)
		}
	}
	return nil
}

// setImage is `kustomize edit set image`: <image>=<new-image>:<new-tag>@<digest>, where "*" keeps what the
// kustomization says.
func setImage(k *types.Kustomization, argument string) error {
	name, value, replaces := strings.Cut(argument, "=")
	if !replaces {
		value = argument
	}
	newName, tag, digest := util.SplitImageName(value)
	if newName == argument {
		return fmt.Errorf("image %q: must be <image>=<new-image>:<new-tag>@<digest> with a new name, tag or digest", argument)
	}
	image := types.Image{Name: newName, NewTag: tag, Digest: digest}
	if replaces {
		image.Name, image.NewName = name, newName
	}
	at := slices.IndexFunc(k.Images, func(own types.Image) bool { return own.Name == image.Name })
	own := types.Image{}
	if at >= 0 {
		own = k.Images[at]
	}
	for _, field := range []struct{ value, kept *string }{
		{&image.NewName, &own.NewName}, {&image.NewTag, &own.NewTag}, {&image.Digest, &own.Digest},
	} {
		if *field.value == "*" {
			*field.value = *field.kept
		}
	}
	if at >= 0 {
		k.Images[at] = image
	} else {
		k.Images = append(k.Images, image)
	}
	return nil
}

// addLabels is `kustomize edit add label`.
func addLabels(k *types.Kustomization, labels map[string]string, force, withoutSelector bool) error {
	if len(labels) == 0 {
		return nil
	}
	if !withoutSelector {
		common := &k.CommonLabels //nolint:staticcheck // deprecated, and what `kustomize edit add label` writes
		if *common == nil {
			*common = map[string]string{}
		}
		return add(*common, labels, force, "label")
	}
	at := slices.IndexFunc(k.Labels, func(own types.Label) bool { return !own.IncludeSelectors && !own.IncludeTemplates })
	if at < 0 {
		k.Labels = append(k.Labels, types.Label{Pairs: map[string]string{}})
		at = len(k.Labels) - 1
	}
	if k.Labels[at].Pairs == nil {
		k.Labels[at].Pairs = map[string]string{}
	}
	return add(k.Labels[at].Pairs, labels, force, "label")
}

func add(to, entries map[string]string, force bool, what string) error {
	for name, value := range entries {
		if _, found := to[name]; found && !force {
			return fmt.Errorf("%s %s is in the kustomization already: set forceCommon%ss to replace it", what, name, strings.ToUpper(what[:1])+what[1:])
		}
		to[name] = value
	}
	return nil
}
