package eventing

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net/http"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Authentication decides who may send events to a [Responder]: [Bearer], [HMAC],
// [NoAuthentication] or [RawAuthentication].
type Authentication interface {
	validateAuthentication(path *field.Path) field.ErrorList
	// checkHead refuses, with a denial, what can be refused without the body.
	checkHead(ctx context.Context, header http.Header) error
	// checkBody refuses the rest. It returns the signature over the body, if there
	// is one, in a form that no sender can vary.
	checkBody(ctx context.Context, header http.Header, body []byte) (signature string, err error)
	// challenge is the value of WWW-Authenticate.
	challenge() string
}

// denial says, for the log, what is wrong with credentials.
type denial string

func (d denial) Error() string { return string(d) }

// Keys returns the secrets that are accepted now, several while one replaces
// another. It is called for every request, and an error makes the sender try
// later. An empty secret is never accepted.
type Keys func(ctx context.Context) ([]string, error)

// FixedKeys are secrets that do not change while the process runs.
func FixedKeys(keys ...string) Keys {
	keys = slices.Clone(keys)
	return func(context.Context) ([]string, error) { return keys, nil }
}

// current leaves out empty secrets, and fails without any other.
func (k Keys) current(ctx context.Context) ([]string, error) {
	keys, err := k(ctx)
	if err != nil {
		return nil, err
	}
	keys = slices.DeleteFunc(slices.Clone(keys), func(key string) bool { return key == "" })
	if len(keys) == 0 {
		return nil, errors.New("there is no secret to check credentials with")
	}
	return keys, nil
}

// Bearer accepts requests with one of the tokens in the Authorization header. An
// [HTTPTrigger] sends it from SecretHeaders; the value in the Secret starts with
// "Bearer ".
type Bearer struct {
	// Tokens that are accepted. Required.
	Tokens Keys
}

func (b Bearer) validateAuthentication(path *field.Path) field.ErrorList {
	if b.Tokens == nil {
		return field.ErrorList{field.Required(path.Child("tokens"), "")}
	}
	return nil
}

func (b Bearer) checkHead(ctx context.Context, header http.Header) error {
	values := header.Values("Authorization")
	if len(values) != 1 {
		return denial("there is not exactly one Authorization header")
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return denial("the Authorization header holds no bearer token")
	}
	tokens, err := b.Tokens.current(ctx)
	if err != nil {
		return err
	}
	// Sums have one length, so that the comparison does not tell that of the token.
	got, equal := sha256.Sum256([]byte(strings.TrimSpace(token))), 0
	for _, accepted := range tokens {
		want := sha256.Sum256([]byte(accepted))
		equal |= subtle.ConstantTimeCompare(got[:], want[:])
	}
	if equal == 0 {
		return denial("the bearer token is not accepted")
	}
	return nil
}

func (b Bearer) checkBody(context.Context, http.Header, []byte) (string, error) { return "", nil }
func (b Bearer) challenge() string                                              { return "Bearer" }

// NoAuthentication accepts every request. It is for addresses that only trusted
// senders reach, for example by a NetworkPolicy.
type NoAuthentication struct{}

func (NoAuthentication) validateAuthentication(*field.Path) field.ErrorList { return nil }
func (NoAuthentication) checkHead(context.Context, http.Header) error       { return nil }
func (NoAuthentication) challenge() string                                  { return "None" }
func (NoAuthentication) checkBody(context.Context, http.Header, []byte) (string, error) {
	return "", nil
}

// RawAuthentication accepts what a function accepts.
type RawAuthentication struct {
	// Verify returns an error for a request that is refused. Required. The error is
	// logged, so it must not repeat the credentials. A signature that it returns
	// counts for one event ID only, as that of an [HMAC] does; empty is none.
	Verify func(ctx context.Context, header http.Header, body []byte) (signature string, err error)
}

func (r RawAuthentication) validateAuthentication(path *field.Path) field.ErrorList {
	if r.Verify == nil {
		return field.ErrorList{field.Required(path.Child("verify"), "")}
	}
	return nil
}

func (r RawAuthentication) checkHead(context.Context, http.Header) error { return nil }

func (r RawAuthentication) checkBody(ctx context.Context, header http.Header, body []byte) (string, error) {
	signature, err := r.Verify(ctx, header, body)
	if err != nil {
		return "", denial(err.Error())
	}
	return signature, nil
}

func (r RawAuthentication) challenge() string { return "Custom" }
