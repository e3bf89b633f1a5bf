package gitops

import (
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const trackingAnnotation = "argocd.argoproj.io/tracking-id"

// Tracking is what Argo CD writes on an object to recognise it as a resource of an Application.
// argo-cd: util/argo/resource_tracking.go
type Tracking struct {
	// Application by name; one outside Argo CD's own namespace by "namespace_name".
	Application string
	// Group, Kind, Namespace and Name of the object. The namespace of an object without one, of a cluster-scoped kind
	// too, is that of the Application's destination.
	Group, Kind, Namespace, Name string
}

// TrackingOf returns the tracking that Argo CD writes on an object of an Application. The namespaces are that of the
// Application, that of Argo CD (default: "argocd") and that of the Application's destination, for objects without one.
// The object's kind must be set. CustomResourceDefinitions are not tracked.
func TrackingOf(application client.ObjectKey, argoCDNamespace, destinationNamespace string, obj client.Object) Tracking {
	kind := obj.GetObjectKind().GroupVersionKind()
	instance := application.Name
	if application.Namespace != "" && application.Namespace != orDefault(argoCDNamespace, "argocd") {
		instance = application.Namespace + "_" + application.Name
	}
	return Tracking{
		Application: instance, Group: kind.Group, Kind: kind.Kind,
		Namespace: orDefault(obj.GetNamespace(), destinationNamespace), Name: obj.GetName(),
	}
}

// ID returns the tracking in Argo CD's form "application:group/kind:namespace/name".
func (t Tracking) ID() string {
	return fmt.Sprintf("%s:%s/%s:%s/%s", t.Application, t.Group, t.Kind, t.Namespace, t.Name)
}

// SetTracking marks an object as a resource of an Application.
func SetTracking(obj metav1.Object, tracking Tracking) {
	writeAnnotation(obj, trackingAnnotation, tracking.ID())
}

// ReadTracking returns the tracking of an object, the zero value when there is none. It is a copy of another object's
// when it names another kind, namespace or name; Argo CD then takes the object for foreign. An *AnnotationError says
// that it does not have Argo CD's form.
func ReadTracking(obj metav1.Object) (Tracking, error) {
	id, found, err := readAnnotation(obj, trackingAnnotation)
	if !found || err != nil {
		return Tracking{}, err
	}
	// The name may hold colons: those of RBAC objects do.
	parts := strings.SplitN(id, ":", 3)
	if len(parts) == 3 {
		group, kind, kindFound := strings.Cut(parts[1], "/")
		namespace, name, nameFound := strings.Cut(parts[2], "/")
		if kindFound && nameFound && !strings.Contains(kind, "/") && !strings.Contains(name, "/") {
			return Tracking{Application: parts[0], Group: group, Kind: kind, Namespace: namespace, Name: name}, nil
		}
	}
	return Tracking{}, &AnnotationError{
		Annotation: trackingAnnotation, Value: id, Problem: `must have the form "application:group/kind:namespace/name"`,
	}
}
