package preview

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"strings"

	kubeyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// loading are the fields of a kustomization, and of the configuration of a plugin, whose texts kustomize loads.
var loading = map[string]bool{
	"resources": true, "bases": true, "components": true, "crds": true, "configurations": true,
	"generators": true, "transformers": true, "validators": true, "patchesStrategicMerge": true,
	"path": true, "paths": true, "files": true, "env": true, "envs": true, "targetFilePath": true,
	"valuesFile": true, "additionalValuesFiles": true,
}

// gitUser is how a remote base without a scheme starts: user@host (kustomize: api/internal/git/repospec.go).
var gitUser = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]*@`)

// remote reports whether kustomize takes the text for something on the network.
func remote(text string) bool {
	text = strings.ToLower(strings.TrimSpace(text))
	text, forced := strings.CutPrefix(text, "git::")
	if forced || gitUser.MatchString(text) {
		return true
	}
	for _, prefix := range []string{"http:", "https:", "ssh:", "file:", "github.com/", "github.com:"} {
		if strings.HasPrefix(text, prefix) {
			return true
		}
	}
	return false
}

// check refuses a file that would make kustomize ask the network, or need all memory. Kustomize asks for a file by its
// name in a kustomization or in the configuration of a plugin, both of which come through here first.
func (k *kustomizeFiles) check(file string, data []byte) error {
	// Any file may be a resource; how much text it holds matters only in YAML.
	measure := checkYAML
	switch path.Ext(file) {
	case ".yaml", ".yml", "":
	default:
		measure = func(file string, data []byte) error { return checkAliases(file, 1, data) }
	}
	if err := measure(file, data); errors.Is(err, ErrTooLarge) {
		return err
	}
	if isKustomization(path.Base(file)) {
		return k.checkKustomization(file, data)
	}
	if k.plugins[file] {
		return checkPlugin(data)
	}
	return nil
}

func (k *kustomizeFiles) checkKustomization(file string, data []byte) error {
	var fields map[string]any
	_ = yaml.Unmarshal(data, &fields) // kustomize parses it the same way, and says what is wrong with it
	if err := checkTexts(file, fields); err != nil {
		return err
	}
	if err := checkLoads("", fields); err != nil {
		return err
	}
	for name, value := range fields {
		// Kustomize takes the names of fields in any case.
		switch strings.ToLower(name) {
		case "generators", "transformers", "validators":
			if err := k.notePlugins(path.Dir(file), value); err != nil {
				return err
			}
		}
	}
	return nil
}

// notePlugins remembers the files that configure plugins, and checks configurations that are written inline.
func (k *kustomizeFiles) notePlugins(dir string, list any) error {
	entries, _ := list.([]any)
	for _, entry := range entries {
		text, ok := entry.(string)
		if !ok {
			continue
		}
		if strings.Contains(text, ":") {
			if err := checkPlugin([]byte(text)); err != nil {
				return err
			}
			continue
		}
		name := k.absolute(path.Join(dir, text))
		if k.IsDir(name) {
			// What it renders to could load anything, and is not read through here.
			return fmt.Errorf("plugins from the folder %s: %w: name the files of their configurations", text, ErrOffline)
		}
		if file, err := k.inside(name); err == nil {
			k.plugins[file] = true
		}
	}
	return nil
}

func checkPlugin(data []byte) error {
	decoder := kubeyaml.NewYAMLToJSONDecoder(bytes.NewReader(data))
	for {
		var fields map[string]any
		err := decoder.Decode(&fields)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := checkLoads("", fields); err != nil {
			return err
		}
	}
}

// checkLoads looks for something remote in the fields that kustomize loads.
func checkLoads(field string, value any) error {
	switch value := value.(type) {
	case map[string]any:
		for name, item := range value {
			if err := checkLoads(name, item); err != nil {
				return err
			}
		}
	case []any:
		for _, item := range value {
			if err := checkLoads(field, item); err != nil {
				return err
			}
		}
	case string:
		// Files may have a key: "name=path".
		_, file, keyed := strings.Cut(value, "=")
		if loads(field) && (remote(value) || keyed && remote(file)) {
			return fmt.Errorf("%s %s: %w: it is not in the repository, so add a copy to it", field, maskText(value), ErrOffline)
		}
	}
	return nil
}

func loads(field string) bool {
	for name := range loading {
		if strings.EqualFold(name, field) {
			return true
		}
	}
	return false
}

// tooMuch refuses YAML that takes far more memory than its size suggests. YAML that does not parse is not its concern.
func tooMuch(name string, data []byte) error {
	if err := checkYAML(name, data); errors.Is(err, ErrTooLarge) {
		return err
	}
	return nil
}

// checkTexts checks the texts of YAML that are YAML themselves, such as inline patches.
func checkTexts(name string, value any) error {
	switch value := value.(type) {
	case map[string]any:
		for _, item := range value {
			if err := checkTexts(name, item); err != nil {
				return err
			}
		}
	case []any:
		for _, item := range value {
			if err := checkTexts(name, item); err != nil {
				return err
			}
		}
	case string:
		return tooMuch(name, []byte(value))
	}
	return nil
}
