package conformance_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/controlbackbone/backbone/eventing"
)

func TestALetterIsKeptOnceAndTheLargestFits(t *testing.T) {
	c := kube(t)
	store := eventing.KubernetesDeadLetters{Client: c, Namespace: namespace(t, c), Name: "ops", MaxLetters: 1}
	letter := eventing.DeadLetter{Event: eventing.Event{ID: "1", Body: make([]byte, 512<<10), Header: http.Header{"Ce-Type": {strings.Repeat("a", 64<<10)}}}}
	require.NoError(t, store.Put(t.Context(), letter))
	require.NoError(t, store.Put(t.Context(), letter), "the process may have ended before it recorded that")
	letter.Event.ID = "2"
	require.ErrorIs(t, store.Put(t.Context(), letter), eventing.ErrDeadLettersFull)
	got, err := store.Get(t.Context(), "1")
	require.NoError(t, err)
	require.Equal(t, letter.Event.Body, got.Event.Body)
}

func TestASecretThatIsNoLetterIsNamedAndNotShown(t *testing.T) {
	c := kube(t)
	home := namespace(t, c)
	require.NoError(t, c.Create(t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: home, Name: "odd", Labels: map[string]string{"eventing.backbone.dev/responder": "ops"}},
		StringData: map[string]string{"letter": "hunter2"},
	}))
	_, err := eventing.KubernetesDeadLetters{Client: c, Namespace: home, Name: "ops"}.List(t.Context())
	require.EqualError(t, err, "Secret "+home+"/odd holds no dead letter")
}
