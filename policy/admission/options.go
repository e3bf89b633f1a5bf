package admission

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Options configure an [Engine]. The zero value evaluates policies that ask for nothing but the request.
type Options struct {
	// Exceptions are PolicyExceptions of kyverno.io and of policies.kyverno.io.
	Exceptions []*unstructured.Unstructured
	// Data is what policies ask a cluster for.
	Data Data
	// AsCommandLine evaluates as `kyverno test` does, which knows less than the admission controller: a request has no name
	// and no kind, the user's roles are as given, namespaces without labels have none, and context entries whose value is
	// not among Data.Variables are left out. For suites that were written for the command line.
	AsCommandLine bool
}

// Data is what policies ask a cluster for. What is missing makes a verdict [Error].
type Data struct {
	// Objects are those of the cluster: ConfigMaps, Namespaces, the sources of clones, and whatever else policies get or
	// list. Lists of a kind are taken for complete as soon as one object of it is given.
	Objects []*unstructured.Unstructured
	// Complete are kinds of which Objects holds all there are, even if there is none.
	Complete []schema.GroupKind
	// APICalls are the answers to API calls that Objects do not answer, and to calls of services.
	APICalls []APICall
	// GlobalContext holds the data of each GlobalContextEntry, by its name. Projections are fields of it.
	GlobalContext map[string]any
	// Images holds what a registry knows about an image, by its reference as the policy asks for it: the fields manifest,
	// configData, resolvedImage, registry, repository and identifier (or digest and tag).
	Images map[string]map[string]any
	// Variables are values that take the place of context entries and of other variables.
	Variables []Variables
}

// APICall is the answer to one call.
type APICall struct {
	// URL is the path of the API server, such as "/api/v1/nodes", or the URL of a service.
	URL string
	// Method of the call. Default: GET.
	Method string
	// Answer is the body, as JSON.
	Answer any
}

// Variables are values for the rules of a policy.
type Variables struct {
	// Policy that the values are for. Default: every policy.
	Policy string
	// Rule that the values are for. Default: every rule. Rules that Kyverno makes for pod controllers go by the name of the
	// rule that they are made of.
	Rule string
	// Resource is the name of the object that the values are for. Default: every object.
	Resource string
	// Values by variable, such as "request.operation" or the name of a context entry.
	Values map[string]any
}
