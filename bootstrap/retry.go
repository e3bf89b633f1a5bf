package bootstrap

import (
	"context"
	"crypto/x509"
	"errors"
	"net/http"
	"net/url"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
)

// backoff is the pause between attempts: 100 ms, doubled each time up to 5 s,
// with up to a fifth more at random. A server that asks for a longer pause gets
// it.
type backoff struct {
	step wait.Backoff
}

func newBackoff() *backoff {
	return &backoff{step: wait.Backoff{Duration: 100 * time.Millisecond, Factor: 2, Jitter: 0.2, Steps: 8, Cap: 5 * time.Second}}
}

// pause waits before the attempt after err. It returns false when ctx ended
// first.
func (b *backoff) pause(ctx context.Context, err error) bool {
	duration := b.step.Step()
	if seconds, asked := apierrors.SuggestsClientDelay(err); asked {
		duration = max(duration, time.Duration(seconds)*time.Second)
	}
	timer := time.NewTimer(duration)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// retry calls attempt until it succeeds, fails for good, or ctx ends. Each
// attempt has requestTimeout.
func retry(ctx context.Context, attempt func(context.Context) error) error {
	pauses := newBackoff()
	for {
		err := limited(ctx, attempt)
		if err == nil || ctx.Err() != nil || !transient(err) || !pauses.pause(ctx, err) {
			return err
		}
	}
}

func limited(ctx context.Context, attempt func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	return attempt(ctx)
}

// transient reports whether an error may pass by itself.
func transient(err error) bool {
	status := apierrors.APIStatus(nil)
	if !errors.As(err, &status) {
		return transientTransport(err)
	}
	switch status.Status().Code {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	case http.StatusConflict:
		// Field conflicts are told apart before; the others are races with
		// another writer.
		return true
	case http.StatusForbidden:
		return apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause)
	case http.StatusInternalServerError:
		// A webhook that does not answer is an InternalError. An error without a
		// reason is the API server's answer to an object it cannot read, such
		// as one with an unknown field (apiserver:
		// pkg/endpoints/handlers/responsewriters/status.go).
		return status.Status().Reason != metav1.StatusReasonUnknown
	}
	return false
}

// transientTransport covers requests without an answer: connections that are
// refused, reset or too slow. A certificate that does not fit stays so.
func transientTransport(err error) bool {
	var (
		authority   x509.UnknownAuthorityError
		hostname    x509.HostnameError
		certificate x509.CertificateInvalidError
		request     *url.Error
	)
	if errors.As(err, &authority) || errors.As(err, &hostname) || errors.As(err, &certificate) {
		return false
	}
	return errors.As(err, &request) || errors.Is(err, context.DeadlineExceeded)
}
