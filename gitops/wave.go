package gitops

import (
	"strconv"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	waveAnnotation       = "argocd.argoproj.io/sync-wave"
	helmWeightAnnotation = "helm.sh/hook-weight"
)

// SetSyncWave puts an object into a wave of its phase. Argo CD applies waves from the lowest to the highest, negative
// ones included, and waits until a wave is healthy before it begins the next. It prunes in the opposite order.
func SetSyncWave(obj metav1.Object, wave int) {
	writeAnnotation(obj, waveAnnotation, strconv.Itoa(wave))
}

// SyncWave returns the wave in which Argo CD applies an object: that of the annotation, else Helm's hook weight, else
// 0. An *AnnotationError says that an annotation is no whole number; the wave is then what Argo CD uses instead.
// gitops-engine: pkg/sync/syncwaves/waves.go
func SyncWave(obj metav1.Object) (int, error) {
	wave, found, err := readInt(obj, waveAnnotation)
	if found && err == nil {
		return wave, nil
	}
	weight, _, weightErr := readInt(obj, helmWeightAnnotation)
	if err == nil {
		err = weightErr
	}
	return weight, err
}

func readInt(obj metav1.Object, annotation string) (number int, found bool, err error) {
	text, found, err := readAnnotation(obj, annotation)
	if !found || err != nil {
		return 0, found, err
	}
	number, err = strconv.Atoi(text)
	if err != nil {
		return 0, true, &AnnotationError{
			Annotation: annotation, Value: text, Problem: "is not a whole number, so Argo CD ignores it",
		}
	}
	return number, true, nil
}
