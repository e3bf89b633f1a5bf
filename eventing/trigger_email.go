package eventing

import (
	"regexp"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// EmailTrigger sends an e-mail to each of several addresses.
type EmailTrigger struct {
	// Host and Port of the SMTP server. Required.
	Host string
	Port int32
	// Username at the server. Default: no authentication.
	Username string
	// Password selects the password. Required with a Username.
	Password *SecretKey
	// From is the address of the sender. Required.
	From string
	// To are the addresses of the receivers. At least one is required, unless a
	// parameter sets "to". Upstream knows top-level domains of at most four letters.
	To []string
	// Subject and Body of the e-mail. Required, unless parameters set "subject" and
	// "body".
	Subject string
	Body    string
	// Parameters copy values of the event into the trigger, for example to "body".
	// Build makes them parameters of the template: upstream ignores those of the
	// trigger itself.
	// argo-events: Execute in pkg/sensors/triggers/email/email.go
	Parameters []Parameter
}

// emailAddress is what upstream sends to.
// argo-events: Execute in pkg/sensors/triggers/email/email.go
var emailAddress = regexp.MustCompile(`^[\w.-]+@([\w-]+\.)+[\w-]{2,4}$`)

func (e EmailTrigger) validateTrigger(path *field.Path, dependencies map[string]bool) field.ErrorList {
	faults := object.RequiredText(path.Child("host"), e.Host)
	faults = append(faults, invalidPort(path.Child("port"), e.Port)...)
	faults = append(faults, object.Text(path.Child("username"), e.Username)...)
	switch {
	case e.Username != "" && e.Password == nil:
		faults = append(faults, field.Required(path.Child("password"), "there is a username"))
	case e.Username == "" && e.Password != nil:
		faults = append(faults, field.Required(path.Child("username"), "there is a password"))
	}
	faults = append(faults, e.Password.validateOptional(path.Child("password"))...)
	faults = append(faults, object.RequiredText(path.Child("from"), e.From)...)
	if len(e.To) == 0 && !sets(e.Parameters, "to") {
		faults = append(faults, field.Required(path.Child("to"), "at least one address is required"))
	}
	for i, address := range e.To {
		faults = append(faults, matches(path.Child("to").Index(i), address, emailAddress)...)
	}
	faults = append(faults, textOrParameter(path, "subject", e.Subject, e.Parameters)...)
	faults = append(faults, textOrParameter(path, "body", e.Body, e.Parameters)...)
	return append(faults, validateParameters(path.Child("parameters"), e.Parameters, dependencies, false)...)
}

func (e EmailTrigger) template(Sensor) (string, map[string]any) {
	return "email", object.Compact(map[string]any{
		"host":         e.Host,
		"port":         e.Port,
		"username":     e.Username,
		"smtpPassword": e.Password.selector(),
		"from":         e.From,
		"to":           e.To,
		"subject":      e.Subject,
		"body":         e.Body,
	})
}

func (e EmailTrigger) traits() traits {
	return traits{templateParameters: under("email", e.Parameters)}
}
