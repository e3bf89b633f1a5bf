package kyvernotest

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/kyverno/kyverno/cmd/cli/kubectl-kyverno/apis/v1alpha1"
	"github.com/kyverno/kyverno/cmd/cli/kubectl-kyverno/test"
)

// FileName is the name of the files that hold suites.
const FileName = "kyverno-test.yaml"

// Test is one test: a document of a suite's file.
type Test struct {
	// Path is the file.
	Path string
	// Name is the test's metadata.name; empty for many.
	Name string

	spec *v1alpha1.Test
}

// LoadError is a suite that cannot be read.
type LoadError struct {
	// Path is the file of the suite.
	Path string
	// Err says what is wrong with it.
	Err error
}

func (e *LoadError) Error() string { return fmt.Sprintf("read the suite %s: %v", e.Path, e.Err) }

func (e *LoadError) Unwrap() error { return e.Err }

// Load reads the suites in the directories and everything below them, in the order of their paths. If any cannot be read
// the error joins a *[LoadError] for each: as with the command line, no suite runs while one is broken.
func Load(directories ...string) ([]Test, error) {
	var tests []Test
	var faults []error
	for _, directory := range directories {
		cases, err := test.LoadTests(directory, FileName)
		if err != nil {
			return nil, fmt.Errorf("look for suites in %s: %w", directory, err)
		}
		for _, found := range cases {
			if found.Err != nil {
				faults = append(faults, &LoadError{Path: found.Path, Err: found.Err})
				continue
			}
			tests = append(tests, Test{Path: found.Path, Name: found.Test.ObjectMeta.Name, spec: found.Test})
		}
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return tests, nil
}

// dir is the directory that the paths in the test are relative to.
func (t Test) dir() string { return filepath.Dir(filepath.Clean(t.Path)) }
