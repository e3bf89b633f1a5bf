package preview

import (
	"crypto/sha256"
	"encoding/json"
	"maps"
)

// pairRenames finds deletions and additions of Applications that deploy the same.
func (c comparison) pairRenames(changes *Changes) {
	additions := map[string][]*ApplicationChange{}
	for i := range changes.Added {
		added := &changes.Added[i]
		mark := c.fingerprint(c.head[added.Namespace+"/"+added.Name])
		additions[mark] = append(additions[mark], added)
	}
	deletions := map[string][]*ApplicationChange{}
	for i := range changes.Deleted {
		deleted := &changes.Deleted[i]
		mark := c.fingerprint(c.base[deleted.Namespace+"/"+deleted.Name])
		deletions[mark] = append(deletions[mark], deleted)
	}
	for mark, deleted := range deletions {
		added := additions[mark]
		if len(deleted) != 1 || len(added) != 1 {
			continue // which one became which cannot be told
		}
		from, to := deleted[0], added[0]
		from.RenamedTo, to.RenamedFrom = to.Namespace+"/"+to.Name, from.Namespace+"/"+from.Name
		from.warn(Danger, Renamed, "looks renamed to %s: Argo CD deletes the one and creates the other", from.RenamedTo)
		to.warn(Notice, Renamed, "looks renamed from %s", to.RenamedFrom)
	}
}

// fingerprint is what an Application deploys, whatever its name: its resources, or, without them, its specification
// without the folders that its sources are in.
func (c comparison) fingerprint(app *Application) string {
	content := any(specWithoutPaths(app))
	if len(app.Resources) > 0 {
		list := []any{cluster(app)}
		for _, resource := range inOrder(app.Resources) {
			list = append(list, declared(resource))
		}
		content = list
	}
	encoded, err := json.Marshal(content)
	if err != nil {
		return qualified(app.Object) // values that JSON has no form for are the same as no others
	}
	sum := sha256.Sum256(encoded)
	return string(sum[:])
}

func specWithoutPaths(app *Application) map[string]any {
	spec, _ := app.Object.Object["spec"].(map[string]any)
	spec = maps.Clone(spec)
	if source, ok := spec["source"].(map[string]any); ok {
		spec["source"] = withoutPath(source)
	}
	if sources, ok := spec["sources"].([]any); ok {
		var plain []any
		for _, source := range sources {
			if source, ok := source.(map[string]any); ok {
				plain = append(plain, withoutPath(source))
			}
		}
		spec["sources"] = plain
	}
	return spec
}

func withoutPath(source map[string]any) map[string]any {
	out := maps.Clone(source)
	delete(out, "path")
	return out
}
