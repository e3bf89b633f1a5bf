package eventing_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/argoproj/argo-events/pkg/apis/events/v1alpha1"
	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/types"

	"github.com/controlbackbone/backbone/eventing"
)

var burnRecipe = eventing.RollbackOnBurn{
	Name: "slo", Namespace: "argo-events",
	Alerts:    eventing.Alertmanager{Listener: eventing.Listener{Port: 12000}, Auth: &eventing.SecretKey{Name: "slo", Key: "alertmanager"}},
	Responder: eventing.HTTPTrigger{URL: "https://responder.platform:8443/", SecretHeaders: map[string]eventing.SecretKey{"Authorization": {Name: "slo", Key: "responder"}}},
	Quiet:     time.Hour,
}

// platform is what the recipe acts on.
type platform struct {
	mu   sync.Mutex
	did  []string
	ids  []string
	fail map[string]int
	// changes is what RollBack says.
	changes bool
}

func (p *platform) do(what string, application types.NamespacedName) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fail[what] > 0 {
		p.fail[what]--
		return errors.New("not now")
	}
	p.did = append(p.did, what+" "+application.String())
	return nil
}

func (p *platform) actions() eventing.RollbackActions {
	return eventing.RollbackActions{
		RollBack: func(_ context.Context, application types.NamespacedName) (bool, error) {
			return p.changes, p.do("roll back", application)
		},
		Restore: func(_ context.Context, application types.NamespacedName) error { return p.do("restore", application) },
		Notify: func(_ context.Context, notification eventing.BurnNotification) error {
			if err := p.do("tell "+string(notification.What), notification.Application); err != nil {
				return err
			}
			p.ids = append(p.ids, notification.ID)
			return nil
		},
	}
}

// burning is a responder of the recipe.
type burning struct {
	*httptest.Server
	platform *platform
	sent     int
}

func newBurning(t *testing.T, recipe eventing.RollbackOnBurn) *burning {
	t.Helper()
	p := &platform{fail: map[string]int{}, changes: true}
	handle, err := recipe.Handle(p.actions())
	require.NoError(t, err)
	responder, err := eventing.NewResponder(eventing.ResponderOptions{Handle: handle, Authentication: eventing.NoAuthentication{}})
	require.NoError(t, err)
	server := httptest.NewServer(responder)
	t.Cleanup(server.Close)
	return &burning{Server: server, platform: p}
}

// send posts a notification as a sensor does, and returns the status of the answer.
func (b *burning) send(t *testing.T, group string) int {
	t.Helper()
	b.sent++
	return b.sendAs(t, fmt.Sprint(b.sent), group)
}

func (b *burning) sendAs(t *testing.T, id, group string) int {
	t.Helper()
	data, err := json.Marshal(map[string]json.RawMessage{"header": []byte(`{}`), "body": []byte(group)})
	require.NoError(t, err)
	event, err := json.Marshal(v1alpha1.Event{Context: &v1alpha1.EventContext{ID: id, SpecVersion: "1.0"}, Data: data})
	require.NoError(t, err)
	response, err := http.Post(b.URL, "application/json", strings.NewReader(string(event))) //nolint:noctx // it is the test's own server
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	return response.StatusCode
}

// group is a notification of alerts.
func group(alerts ...string) string {
	return `{"version":"4","groupKey":"k","receiver":"backbone","status":"firing","alerts":[` + strings.Join(alerts, ",") + `]}`
}

// alert is one of a window for an application, which began at an hour.
func alert(status, application, window, severity string, began int) string {
	return fmt.Sprintf(`{"status":%q,"fingerprint":"%s-%s","labels":{"application":%[2]q,"window":%[3]q,"severity":%q},"annotations":{},"startsAt":"2026-03-02T%02d:00:00Z"}`,
		status, application, window, severity, began)
}

func TestABurningApplicationIsRolledBackOnceAndRestored(t *testing.T) {
	fast, slow := alert("firing", "shop", "5m", "page", 1), alert("firing", "shop", "30m", "page", 2)
	fastOver, slowOver := alert("resolved", "shop", "5m", "page", 1), alert("resolved", "shop", "30m", "page", 2)
	again := alert("firing", "shop", "5m", "page", 3)
	rolledBack := []string{"roll back argocd/shop", "tell RolledBack argocd/shop"}
	restored := append(append([]string{}, rolledBack...), "restore argocd/shop", "tell Restored argocd/shop")
	againOver, later, laterOver := alert("resolved", "shop", "5m", "page", 3), alert("firing", "shop", "5m", "page", 4), alert("resolved", "shop", "5m", "page", 4)
	heldAgain := []string{"roll back argocd/shop", "tell Held argocd/shop"}
	held := append(append([]string{}, restored...), heldAgain...)
	tests := map[string]struct {
		quiet  time.Duration
		groups []string
		want   []string
	}{
		"it is rolled back":                           {groups: []string{group(fast)}, want: rolledBack},
		"a repeated alert does nothing twice":         {groups: []string{group(fast), group(fast)}, want: rolledBack},
		"two windows at once":                         {groups: []string{group(fast, slow)}, want: rolledBack},
		"two windows in groups of their own":          {groups: []string{group(fast), group(slow)}, want: rolledBack},
		"one of two windows ends":                     {groups: []string{group(fast, slow), group(fastOver, slow)}, want: rolledBack},
		"both windows end":                            {groups: []string{group(fast, slow), group(fastOver), group(slowOver)}, want: restored},
		"an end without a beginning":                  {groups: []string{group(fastOver)}},
		"an end that overtakes its beginning":         {groups: []string{group(fastOver), group(fast)}},
		"an old notification after the end":           {groups: []string{group(fast), group(fastOver), group(fast)}, want: restored},
		"an old end after a new beginning":            {groups: []string{group(again), group(fastOver)}, want: rolledBack},
		"an alert that does not count":                {groups: []string{group(alert("firing", "shop", "6h", "ticket", 1))}},
		"an alert without an application":             {groups: []string{group(alert("firing", "", "5m", "page", 1))}},
		"no alerts":                                   {groups: []string{group()}},
		"it burns again soon after":                   {quiet: time.Hour, groups: []string{group(fast), group(fastOver), group(again), group(again)}, want: held},
		"one that is held is not restored":            {quiet: time.Hour, groups: []string{group(fast), group(fastOver), group(again), group(againOver)}, want: held},
		"one that people restored burns soon after":   {quiet: time.Hour, groups: []string{group(fast), group(fastOver), group(again), group(againOver), group(later), group(laterOver)}, want: append(append([]string{}, held...), heldAgain...)},
		"it burns again later":                        {quiet: time.Nanosecond, groups: []string{group(fast), group(fastOver), group(again)}, want: append(append([]string{}, restored...), rolledBack...)},
		"two applications in one group":               {groups: []string{group(fast, alert("firing", "bank", "5m", "page", 1))}, want: append([]string{"roll back argocd/bank", "tell RolledBack argocd/bank"}, rolledBack...)},
		"a group of which Alertmanager left some out": {groups: []string{strings.Replace(group(fast), `"alerts"`, `"truncatedAlerts":3,"alerts"`, 1)}, want: rolledBack},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			recipe := burnRecipe
			recipe.Quiet = test.quiet
			b := newBurning(t, recipe)
			for _, group := range test.groups {
				require.Equal(t, http.StatusOK, b.send(t, group))
			}
			if diff := cmp.Diff(test.want, b.platform.did); diff != "" {
				t.Errorf("actions (-want +got):\n%s", diff)
			}
		})
	}
}

// What people have restored after longer than Quiet is an incident like the first.
func TestAnApplicationIsHeldUntilPeopleRestoreIt(t *testing.T) {
	recipe := burnRecipe
	recipe.Quiet = time.Second
	b := newBurning(t, recipe)
	for began := range 3 {
		if began == 2 {
			time.Sleep(recipe.Quiet)
			b.platform.changes = false
		}
		require.Equal(t, http.StatusOK, b.send(t, group(alert("firing", "shop", "5m", "page", began))))
		require.Equal(t, http.StatusOK, b.send(t, group(alert("resolved", "shop", "5m", "page", began))))
	}
	b.platform.changes = true
	time.Sleep(recipe.Quiet)
	require.Equal(t, http.StatusOK, b.send(t, group(alert("firing", "shop", "5m", "page", 3))))
	require.Equal(t, http.StatusOK, b.send(t, group(alert("resolved", "shop", "5m", "page", 3))))
	require.Equal(t, []string{
		"roll back argocd/shop", "tell RolledBack argocd/shop", "restore argocd/shop", "tell Restored argocd/shop",
		"roll back argocd/shop", "tell Held argocd/shop",
		// Nobody has restored it.
		"roll back argocd/shop", "tell Held argocd/shop",
		// Somebody has.
		"roll back argocd/shop", "tell RolledBack argocd/shop", "restore argocd/shop", "tell Restored argocd/shop",
	}, b.platform.did)
}

func TestWhatFailsIsDoneAgain(t *testing.T) {
	fast, over := alert("firing", "shop", "5m", "page", 1), alert("resolved", "shop", "5m", "page", 1)
	b := newBurning(t, burnRecipe)
	b.platform.fail = map[string]int{"roll back": 1, "tell RolledBack": 1, "restore": 1}
	require.Equal(t, http.StatusInternalServerError, b.sendAs(t, "a", group(fast)))
	require.Equal(t, http.StatusInternalServerError, b.sendAs(t, "a", group(fast)))
	require.Equal(t, http.StatusOK, b.sendAs(t, "a", group(fast)))
	require.Equal(t, http.StatusInternalServerError, b.sendAs(t, "b", group(over)))
	require.Equal(t, http.StatusOK, b.sendAs(t, "b", group(over)))
	require.Equal(t, []string{
		// The second time because nobody could be told: rolling back twice must do nothing twice.
		"roll back argocd/shop", "roll back argocd/shop", "tell RolledBack argocd/shop", "restore argocd/shop", "tell Restored argocd/shop",
	}, b.platform.did)
	require.Len(t, b.platform.ids, 2)
}

func TestWhatIsNoNotificationIsKeptAsADeadLetter(t *testing.T) {
	for name, text := range map[string]string{
		"another object":         `{"hello":1}`,
		"no object":              `[1]`,
		"an unknown status":      group(alert("burning", "shop", "5m", "page", 1)),
		"no fingerprint":         group(`{"status":"firing","labels":{"application":"shop","severity":"page"}}`),
		"labels of another type": group(`{"status":"firing","fingerprint":"a","labels":[1]}`),
	} {
		t.Run(name, func(t *testing.T) {
			b := newBurning(t, burnRecipe)
			require.Equal(t, http.StatusOK, b.send(t, text))
			require.Empty(t, b.platform.did)
		})
	}
}

func TestTheRecipeIsASoundSet(t *testing.T) {
	recipe := burnRecipe
	recipe.Responder.URL = "https://responder.platform:8443/"
	objects, err := recipe.Objects()
	require.NoError(t, err)
	var kinds []string
	for _, obj := range objects {
		kinds = append(kinds, obj.GetKind()+" "+obj.GetName())
	}
	require.Equal(t, []string{"EventSource slo", "Sensor slo"}, kinds)
	bus, err := eventing.EventBus{Namespace: recipe.Namespace, Bus: eventing.JetStream{}}.Build()
	require.NoError(t, err)
	require.Empty(t, eventing.Check(append(objects, bus)))
}

func TestFaultsOfTheRecipeHaveTheirPaths(t *testing.T) {
	var paths []string
	for _, fault := range (eventing.RollbackOnBurn{
		Name: "slo", Quiet: -1, Responder: eventing.HTTPTrigger{URL: "there", Payload: []eventing.Parameter{{From: eventing.WholeEvent{Dependency: "x"}}}},
	}).Validate() {
		paths = append(paths, fault.Field)
	}
	require.Subset(t, paths, []string{"namespace", "alerts.listener.port", "responder.url", "responder.payload", "quiet"})
	_, err := burnRecipe.Handle(eventing.RollbackActions{})
	require.Error(t, err)
}
