package main

import (
	"bytes"
	_ "embed"

	"github.com/controlbackbone/backbone/policy"
	"github.com/controlbackbone/backbone/policy/admission"
)

// demoManifests are judged when nothing else is given.
//
//go:embed demo/manifests.yaml
var demoManifests []byte

// conventions are the rules of a small platform.
var conventions = []policy.Rule{
	policy.RequireLabels{Name: "namespace-labels", Labels: []policy.RequiredLabel{
		{Key: "owner"}, {Key: "business-unit"}, {Key: "environment", Values: []string{"production", "staging"}},
	}},
	policy.RequirePinnedImages{Name: "pinned-images"},
	policy.RequireResources{Name: "resources"},
	policy.AllowedRegistries{Name: "registries", Registries: []string{"registry.example.com"}},
}

func demo() (*inputs, error) {
	objects, err := policy.Build(policy.Kyverno(1, 15), conventions...)
	if err != nil {
		return nil, err
	}
	documents, err := admission.Read(bytes.NewReader(demoManifests), "demo/manifests.yaml")
	if err != nil {
		return nil, err
	}
	return &inputs{policies: objects, documents: documents}, nil
}
