package preview

import (
	"bytes"
	"encoding/json"
	"reflect"

	"github.com/argoproj/argo-cd/v2/applicationset/utils"
	"github.com/argoproj/argo-cd/v2/pkg/apis/application/v1alpha1"
)

// templatePlan is an Application template taken apart: what is the same in every Application, and the places of what is
// not.
type templatePlan struct {
	base  *v1alpha1.Application
	slots []slot
}

// replacer renders a string that may be a template.
type replacer func(string) (string, error)

// slot is a place in an Application that templates fill.
type slot struct {
	// path of field and item indexes to the place; pointers are followed.
	path []int
	fill func(place reflect.Value, replace replacer) error
}

// newTemplatePlan takes a template apart. What is the same in every Application comes from Argo CD's own renderer, with
// all its habits. It returns nil if that fails.
func newTemplatePlan(app *v1alpha1.Application, policy *v1alpha1.ApplicationSetSyncPolicy) *templatePlan {
	plan := &templatePlan{}
	blank := app.DeepCopy()
	if !plan.collect(reflect.ValueOf(blank), nil) {
		return nil
	}
	// Not as Go templates: nothing in it is a template any more.
	base, err := (&utils.Render{}).RenderTemplateParams(blank, policy, map[string]any{"": ""}, false, nil)
	if err != nil {
		return nil
	}
	plan.base = base
	return plan
}

// render returns the Application with its slots filled.
func (p *templatePlan) render(replace replacer) (*v1alpha1.Application, error) {
	app := p.base.DeepCopy()
	for _, slot := range p.slots {
		if err := slot.fill(place(reflect.ValueOf(app), slot.path), replace); err != nil {
			return nil, err
		}
	}
	return app, nil
}

func place(value reflect.Value, path []int) reflect.Value {
	for _, index := range path {
		if value = reflect.Indirect(value); value.Kind() == reflect.Slice {
			value = value.Index(index)
		} else {
			value = value.Field(index)
		}
	}
	return reflect.Indirect(value)
}

// collect finds the slots of a value and blanks them. It reports whether it knows all kinds of values in it.
func (p *templatePlan) collect(value reflect.Value, path []int) bool {
	switch value.Kind() {
	case reflect.Pointer:
		return value.IsNil() || p.collect(value.Elem(), path)
	case reflect.Struct:
		for i := range value.NumField() {
			field := value.Type().Field(i)
			if !field.IsExported() {
				continue
			}
			if !p.collectField(value, field, append(path[:len(path):len(path)], i)) {
				return false
			}
		}
	case reflect.Slice:
		for i := range value.Len() {
			if !p.collect(value.Index(i), append(path[:len(path):len(path)], i)) {
				return false
			}
		}
	case reflect.Map:
		return p.collectMap(value, path)
	case reflect.String:
		if text := value.String(); isTemplate(text) {
			p.slots = append(p.slots, slot{path, func(place reflect.Value, replace replacer) error {
				replaced, err := replace(text)
				place.SetString(replaced)
				return err
			}})
			value.SetString("")
		}
	case reflect.Interface:
		return false
	}
	return true
}

// collectField collects a field of a struct. Argo CD looks into fields named Raw of the Kubernetes types for JSON.
func (p *templatePlan) collectField(value reflect.Value, field reflect.StructField, path []int) bool {
	at := value.FieldByIndex(field.Index)
	switch value.Type().PkgPath() {
	case "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1", "k8s.io/apimachinery/pkg/runtime":
		if field.Name != "Raw" || !bytes.Contains(at.Bytes(), []byte("{{")) {
			break
		}
		text, err := utils.ConvertYAMLToJSON(string(at.Bytes()))
		var tree any
		if err != nil || json.Unmarshal([]byte(text), &tree) != nil {
			return false
		}
		p.slots = append(p.slots, slot{path, func(place reflect.Value, replace replacer) error {
			replaced, err := replaceTree(tree, replace)
			if err != nil {
				return err
			}
			data, err := json.Marshal(replaced)
			place.SetBytes(data)
			return err
		}})
		at.SetBytes([]byte("null"))
		return true
	}
	return p.collect(at, path)
}

// collectMap collects a map of strings: keys may be templates too.
func (p *templatePlan) collectMap(value reflect.Value, path []int) bool {
	texts, ok := value.Interface().(map[string]string)
	if !ok {
		return value.Len() == 0
	}
	templated := false
	for key, text := range texts {
		templated = templated || isTemplate(key) || isTemplate(text)
	}
	if !templated {
		return true
	}
	p.slots = append(p.slots, slot{path, func(place reflect.Value, replace replacer) error {
		out := make(map[string]string, len(texts))
		for key, text := range texts {
			replacedKey, err := replace(key)
			if err != nil {
				return err
			}
			if out[replacedKey], err = replace(text); err != nil {
				return err
			}
		}
		place.Set(reflect.ValueOf(out))
		return nil
	}})
	value.SetZero()
	return true
}

// replaceTree renders the strings and keys of decoded JSON. As in Argo CD, members that are null are left out.
func replaceTree(tree any, replace replacer) (any, error) {
	switch tree := tree.(type) {
	case string:
		return replace(tree)
	case []any:
		out := make([]any, len(tree))
		for i, item := range tree {
			var err error
			if out[i], err = replaceTree(item, replace); err != nil {
				return nil, err
			}
		}
		return out, nil
	case map[string]any:
		out := make(map[string]any, len(tree))
		for key, value := range tree {
			if value == nil {
				continue
			}
			replaced, err := replaceTree(value, replace)
			if err != nil {
				return nil, err
			}
			if key, err = replace(key); err != nil {
				return nil, err
			}
			out[key] = replaced
		}
		return out, nil
	}
	return tree, nil
}
