package preview

import (
	"regexp"
	"strings"
)

// masked returns a copy of the value, without the passwords in URLs.
func masked(value any) any {
	switch value := value.(type) {
	case string:
		return maskText(value)
	case map[string]any:
		out := make(map[string]any, len(value))
		for name, item := range value {
			out[name] = masked(item)
		}
		return out
	case []any:
		out := make([]any, len(value))
		for i, item := range value {
			out[i] = masked(item)
		}
		return out
	}
	return value
}

var (
	urlPassword = regexp.MustCompile(`([A-Za-z][A-Za-z0-9+.-]*://[^/\s:@]*):[^/\s]*@`)
	// A user alone is a token at most git servers.
	urlToken = regexp.MustCompile(`(?i)(https?://)[^/\s:@]+@`)
)

// maskText takes the credentials out of URLs.
func maskText(text string) string {
	if !strings.Contains(text, "://") {
		return text
	}
	return urlToken.ReplaceAllString(urlPassword.ReplaceAllString(text, "$1:***@"), "${1}***@")
}
