package eventing

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// HMAC accepts requests whose body is signed with HMAC-SHA256, in hexadecimal.
// [GitHubSignature] and [SlackSignature] return two that are widely used.
//
// A signature counts for one event ID only, because the header with the ID is not
// signed: with another ID the request is refused.
type HMAC struct {
	// Header that holds the signature. Required.
	Header string
	// Prefix of the signature in the header, for example "sha256=". Default: none.
	Prefix string
	// Secrets, one of which signs. Required.
	Secrets Keys
	// Timestamp is signed along with the body. Default: none, the body alone is.
	Timestamp *SignedTimestamp
}

// SignedTimestamp is a time in Unix seconds, in a header of its own, that bounds
// how long a captured request can be sent again. Before, the time, After and the
// body are signed, one after the other.
type SignedTimestamp struct {
	// Header that holds the time. Required.
	Header string
	// Before and After are the constant parts. Default: none.
	Before, After string
	// Tolerance is how much the time may differ from now. Default: 5m.
	Tolerance time.Duration
}

// GitHubSignature is how GitHub signs webhooks. Set IDHeader to X-GitHub-Delivery with it.
func GitHubSignature(secrets Keys) HMAC {
	return HMAC{Header: "X-Hub-Signature-256", Prefix: "sha256=", Secrets: secrets}
}

// SlackSignature is how Slack signs requests. Its interactive ones are forms, which a
// [Responder] does not take.
func SlackSignature(secrets Keys) HMAC {
	return HMAC{
		Header: "X-Slack-Signature", Prefix: "v0=", Secrets: secrets,
		Timestamp: &SignedTimestamp{Header: "X-Slack-Request-Timestamp", Before: "v0:", After: ":"},
	}
}

func (h HMAC) validateAuthentication(path *field.Path) field.ErrorList {
	faults := validateHeaderName(path.Child("header"), h.Header)
	if h.Secrets == nil {
		faults = append(faults, field.Required(path.Child("secrets"), ""))
	}
	if h.Timestamp == nil {
		return faults
	}
	at := path.Child("timestamp")
	faults = append(faults, validateHeaderName(at.Child("header"), h.Timestamp.Header)...)
	if h.Timestamp.Tolerance < 0 {
		faults = append(faults, field.Invalid(at.Child("tolerance"), h.Timestamp.Tolerance.String(), "must not be negative"))
	}
	return faults
}

func (h HMAC) checkHead(_ context.Context, header http.Header) error {
	if _, err := h.signature(header); err != nil {
		return err
	}
	if h.Timestamp == nil {
		return nil
	}
	return h.Timestamp.check(header)
}

// signature decodes the header, because hexadecimal has several spellings.
func (h HMAC) signature(header http.Header) ([]byte, error) {
	values := header.Values(h.Header)
	if len(values) != 1 {
		return nil, denial("there is not exactly one header with a signature")
	}
	text, ok := strings.CutPrefix(values[0], h.Prefix)
	signature, err := hex.DecodeString(text)
	if !ok || err != nil || len(signature) != sha256.Size {
		return nil, denial("the header holds no signature")
	}
	return signature, nil
}

func (h HMAC) checkBody(ctx context.Context, header http.Header, body []byte) (string, error) {
	got, err := h.signature(header)
	if err != nil {
		return "", err
	}
	secrets, err := h.Secrets.current(ctx)
	if err != nil {
		return "", err
	}
	signed := false
	for _, secret := range secrets {
		signed = hmac.Equal(got, h.sign(secret, header, body)) || signed
	}
	if !signed {
		return "", denial("the signature is not that of the body")
	}
	return hex.EncodeToString(got), nil
}

func (h HMAC) sign(secret string, header http.Header, body []byte) []byte {
	mac := hmac.New(sha256.New, []byte(secret))
	if h.Timestamp != nil {
		mac.Write([]byte(h.Timestamp.Before + header.Get(h.Timestamp.Header) + h.Timestamp.After))
	}
	mac.Write(body)
	return mac.Sum(nil)
}

func (h HMAC) challenge() string { return "Signature" }

func (s SignedTimestamp) check(header http.Header) error {
	values := header.Values(s.Header)
	if len(values) != 1 {
		return denial("there is not exactly one header with a timestamp")
	}
	seconds, err := strconv.ParseInt(values[0], 10, 64)
	if err != nil {
		return denial("the header holds no timestamp")
	}
	// Sub saturates, so that no timestamp overflows.
	age := time.Since(time.Unix(seconds, 0))
	if tolerance := cmp.Or(s.Tolerance, 5*time.Minute); age < -tolerance || age > tolerance {
		return denial("the timestamp is too far from now")
	}
	return nil
}
