package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/controlbackbone/backbone/eventing"
	"github.com/controlbackbone/backbone/gitops"
	"github.com/controlbackbone/backbone/internal/flow"
)

const (
	// burnTimeout bounds the way from an alert to the page.
	burnTimeout = time.Minute
	// resendAfter is how long a notification is given before Alertmanager repeats it.
	resendAfter = 3 * time.Second
	// repeats is how often Alertmanager repeats what fires.
	repeats = 5
)

// alert is one of a burn rate over a long window, and the short one that goes with it, which begins to fire now.
func alert(window string) eventing.Alert {
	return eventing.Alert{
		Status: eventing.AlertFiring, StartsAt: time.Now().UTC(), Fingerprint: application + "-" + window,
		Labels: map[string]string{
			"alertname": "ErrorBudgetBurn", "severity": "page", "application": application, "application_namespace": "argocd", "window": window,
		},
	}
}

// ended is the end of an alert.
func ended(alert eventing.Alert) eventing.Alert {
	alert.Status = eventing.AlertResolved
	return alert
}

// notify posts a notification as Alertmanager does.
func (s *shop) notify(ctx context.Context, alerts ...eventing.Alert) error {
	body, err := json.Marshal(eventing.AlertGroup{Key: `{}:{application="shops-web"}`, Receiver: "backbone", Alerts: alerts})
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.alerts, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "Bearer "+s.token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("send alerts: %s", response.Status)
	}
	return nil
}

// notifyUntilPaged repeats a notification, as Alertmanager does, until people were told: an event source may not listen
// yet, and a sensor that has not subscribed never learns of what came before.
func (s *shop) notifyUntilPaged(ctx context.Context, want []string, alerts ...eventing.Alert) error {
	ctx, cancel := context.WithTimeoutCause(ctx, burnTimeout, fmt.Errorf("not within %s", burnTimeout))
	defer cancel()
	for {
		err := s.notify(ctx, alerts...)
		for resend := time.After(resendAfter); err == nil; {
			if slices.Equal(s.pages.received(), want) {
				return nil
			}
			select {
			case <-resend:
				err = fmt.Errorf("the pages are %q, want %q", s.pages.received(), want)
			case <-time.After(100 * time.Millisecond):
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// burnStage lets the fast burn fire: release 1 comes back.
func (s *shop) burnStage(ctx context.Context, progress flow.Progress) (string, error) {
	progress.Say("release 2 burns its error budget")
	sent := time.Now()
	s.fast = alert("1h")
	if err := s.notifyUntilPaged(ctx, []string{application + " RolledBack"}, s.fast); err != nil {
		return "", err
	}
	took := time.Since(sent)
	if err := s.expectRelease(ctx, "1"); err != nil {
		return "", err
	}
	return fmt.Sprintf("rolled back to release 1 and paged %.1fs after the alert", took.Seconds()), s.expectRolledBack(ctx)
}

// expectRolledBack fails unless the rollback is complete and Argo CD leaves it alone.
func (s *shop) expectRolledBack(ctx context.Context) error {
	rollback, err := s.argocd.RollbackStatus(ctx, application)
	if err != nil {
		return err
	}
	status, err := s.argocd.Get(ctx, application)
	if err != nil {
		return err
	}
	if rollback.Phase != gitops.RollbackSucceeded || status.Automated {
		return fmt.Errorf("the rollback is %q and automated sync is %t, want it complete and automated sync off", rollback.Phase, status.Automated)
	}
	return nil
}

// repeatStage repeats the alerts, of both windows now, and lets Argo CD compare afresh: nothing happens twice.
func (s *shop) repeatStage(ctx context.Context, progress flow.Progress) (string, error) {
	before, err := s.argocd.Get(ctx, application)
	if err != nil {
		return "", err
	}
	s.slow = alert("6h")
	for i := range repeats {
		progress.Say("repeating the alerts, %d of %d", i+1, repeats)
		if err := s.notify(ctx, s.fast, s.slow); err != nil {
			return "", err
		}
	}
	// The slow burn still fires: the end of the fast one alone restores nothing.
	if err := s.notify(ctx, ended(s.fast), s.slow); err != nil {
		return "", err
	}
	if err := s.argocd.Refresh(ctx, application, gitops.RefreshHard); err != nil {
		return "", err
	}
	compared := gitops.Condition{Name: "compared", Met: func(gitops.ApplicationStatus) (bool, error) { return true, nil }}
	if _, err := s.argocd.Wait(ctx, []string{application}, compared); err != nil {
		return "", err
	}
	if err := s.awaitEnd(ctx, s.fast); err != nil {
		return "", err
	}
	after, err := s.argocd.Get(ctx, application)
	if err != nil {
		return "", err
	}
	if len(after.History) != len(before.History) {
		return "", fmt.Errorf("the history has %d deployments, want %d", len(after.History), len(before.History))
	}
	if pages := s.pages.received(); len(pages) != 1 {
		return "", fmt.Errorf("the pages are %q, want one", pages)
	}
	if err := s.expectRelease(ctx, "1"); err != nil {
		return "", err
	}
	return fmt.Sprintf("%d more notifications: no other deployment, no other page", repeats+1), s.expectRolledBack(ctx)
}

// awaitEnd waits until the recipe has taken in that an alert has ended.
func (s *shop) awaitEnd(ctx context.Context, alert eventing.Alert) error {
	ctx, cancel := context.WithTimeoutCause(ctx, burnTimeout, fmt.Errorf("not within %s", burnTimeout))
	defer cancel()
	for {
		incident, _, err := s.incidents.Load(ctx, types.NamespacedName{Namespace: "argocd", Name: application})
		if err != nil {
			return err
		}
		if _, over := incident.Resolved[alert.Fingerprint]; over {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for the end of the alert: %w", context.Cause(ctx))
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// restoreStage pushes the fix and lets both alerts end: the Application follows git again.
func (s *shop) restoreStage(ctx context.Context, progress flow.Progress) (string, error) {
	progress.Say("pushing release 3, and the alerts end")
	if err := s.release(ctx, "2", "3"); err != nil {
		return "", err
	}
	pages := []string{application + " RolledBack", application + " Restored"}
	if err := s.notifyUntilPaged(ctx, pages, ended(s.fast), ended(s.slow)); err != nil {
		return "", err
	}
	if err := s.awaitRelease(ctx, "3"); err != nil {
		return "", err
	}
	status, err := s.argocd.Get(ctx, application)
	if err != nil {
		return "", err
	}
	if !status.Automated {
		return "", errors.New("automated sync is still off")
	}
	return "automated sync is back, release 3 is deployed", nil
}
