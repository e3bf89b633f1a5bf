package preview

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path"
	"strings"

	"github.com/argoproj/argo-cd/v2/pkg/apis/application/v1alpha1"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/strvals"
)

// values are the value files, then the values of the source, then its parameters; the later wins (helm:
// pkg/cli/values).
func (s *sourceContent) values(settings *v1alpha1.ApplicationSourceHelm) (map[string]any, error) {
	values := map[string]any{}
	for _, name := range settings.ValueFiles {
		data, err := s.valueFile(name)
		if errors.Is(err, fs.ErrNotExist) && settings.IgnoreMissingValueFiles {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("value file %s: %w", maskText(name), err)
		}
		if err := mergeValues(values, data); err != nil {
			return nil, fmt.Errorf("value file %s: %w", maskText(name), err)
		}
	}
	if !settings.ValuesIsEmpty() {
		if err := mergeValues(values, settings.ValuesYAML()); err != nil {
			return nil, fmt.Errorf("values: %w", err)
		}
	}
	// Helm takes all that may be of any type first, then those that are strings, then files.
	for _, asString := range []bool{false, true} {
		for _, parameter := range settings.Parameters {
			if parameter.ForceString != asString {
				continue
			}
			parse := strvals.ParseInto
			if asString {
				parse = strvals.ParseIntoString
			}
			// The value may be a password, and strvals' errors repeat it.
			if err := parse(parameter.Name+"="+escapeCommas(s.env.Envsubst(parameter.Value)), values); err != nil {
				return nil, fmt.Errorf("parameter %s: the value cannot be set there", parameter.Name)
			}
		}
	}
	for _, parameter := range settings.FileParameters {
		read := func(name []rune) (any, error) {
			data, err := s.valueFile(string(name))
			return string(data), err
		}
		if err := strvals.ParseIntoFile(parameter.Name+"="+escapeCommas(parameter.Path), values, read); err != nil {
			return nil, fmt.Errorf("file parameter %s: %w", parameter.Name, err)
		}
	}
	return values, nil
}

// mergeValues lets the values of a file win over what there is.
func mergeValues(into map[string]any, data []byte) error {
	own, err := chartutil.ReadValues(data)
	if err != nil {
		return err
	}
	overlay(into, own)
	return nil
}

func overlay(into, own map[string]any) {
	for name, value := range own {
		nested, isMap := value.(map[string]any)
		existing, wasMap := into[name].(map[string]any)
		if isMap && wasMap {
			overlay(existing, nested)
			continue
		}
		into[name] = value
	}
}

// valueFile reads a file of the repository, or of another source's as "$name/path" (argo-cd: util/io/path/resolved.go).
func (s *sourceContent) valueFile(name string) ([]byte, error) {
	if variable, rest, _ := strings.Cut(name, "/"); strings.HasPrefix(name, "$") {
		if fsys, ok := s.refs[variable]; ok {
			return readInside(fsys, ".", s.env.Envsubst("/"+rest))
		}
	}
	name = s.env.Envsubst(name)
	if parsed, err := url.Parse(name); err == nil && parsed.Scheme != "" {
		return nil, fmt.Errorf("%w: it is not in the repository", ErrOffline)
	}
	return readInside(s.fsys, s.dir, name)
}

func readInside(fsys fs.FS, dir, name string) ([]byte, error) {
	file, err := insidePath(dir, name)
	if err != nil {
		return nil, err
	}
	return readFile(fsys, path.Clean(file))
}

// escapeCommas keeps a value in one piece, unless it is a list in braces (argo-cd: util/helm/cmd.go,
// cleanSetParameters).
func escapeCommas(value string) string {
	if strings.HasPrefix(value, "{") && strings.HasSuffix(value, "}") {
		return value
	}
	var out strings.Builder
	previous := rune(0)
	for _, r := range value {
		if r == ',' && previous != '\\' {
			out.WriteRune('\\')
		}
		out.WriteRune(r)
		previous = r
	}
	return out.String()
}
