package replay

import (
	"fmt"
	"strings"
	"time"

	"github.com/argoproj/argo-events/pkg/apis/events/v1alpha1"
	"github.com/tidwall/gjson"
)

// maxShown is how much of a value of an event a reason shows, in bytes.
const maxShown = 100

// at shows what an event has at a path.
func at(data []byte, path string) string {
	if !gjson.ValidBytes(data) {
		return "no JSON"
	}
	value := gjson.GetBytes(data, path)
	if !value.Exists() {
		return "nothing"
	}
	return shortened(value.Raw)
}

func shortened(text string) string {
	if len(text) <= maxShown {
		return text
	}
	return strings.ToValidUTF8(text[:maxShown], "") + "…"
}

func asksExpr(filter v1alpha1.ExprFilter, data []byte) string {
	fields := make([]string, len(filter.Fields))
	for i, field := range filter.Fields {
		fields[i] = fmt.Sprintf("%s = %s", field.Name, at(data, field.Path))
	}
	return fmt.Sprintf("wants %s, with %s", filter.Expr, strings.Join(fields, ", "))
}

func asksData(filter v1alpha1.DataFilter, data []byte) string {
	comparator := string(filter.Comparator)
	if comparator == "" {
		comparator = "="
	}
	wants := fmt.Sprintf("%q", filter.Value)
	if len(filter.Value) == 1 {
		wants = fmt.Sprintf("%q", filter.Value[0])
	}
	subject := filter.Path
	if filter.Template != "" {
		subject = fmt.Sprintf("%s through %s", filter.Path, filter.Template)
	}
	return fmt.Sprintf("wants the %s %s %s %s, which is %s", filter.Type, subject, comparator, wants, at(data, filter.Path))
}

func asksContext(wants, has *v1alpha1.EventContext) string {
	var texts []string
	for _, field := range []struct{ name, wants, has string }{
		{"type", wants.Type, has.Type},
		{"subject", wants.Subject, has.Subject},
		{"source", wants.Source, has.Source},
		{"datacontenttype", wants.DataContentType, has.DataContentType},
	} {
		if field.wants != "" {
			texts = append(texts, fmt.Sprintf("%s %q, which is %q", field.name, field.wants, field.has))
		}
	}
	return "wants " + strings.Join(texts, ", ")
}

func asksTime(filter *v1alpha1.TimeFilter, context *v1alpha1.EventContext) string {
	zone := filter.Timezone
	if zone == "" {
		zone = "UTC"
	}
	return fmt.Sprintf("wants a time from %s to %s in %s, which is %s", filter.Start, filter.Stop, zone, context.Time.UTC().Format(time.RFC3339))
}
