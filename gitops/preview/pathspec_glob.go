package preview

import "strings"

// parseGlob reads a glob as git does without its "glob" magic (git: wildmatch.c): ** is *, a star and a question mark
// match slashes, a backslash takes the next byte as it is. A glob with a bracket that is not closed, or a class that
// does not exist, matches nothing.
func parseGlob(text string) []matcher {
	var glob []matcher
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '*':
			if len(glob) == 0 || !glob[len(glob)-1].star {
				glob = append(glob, matcher{star: true})
			}
		case '?':
			glob = append(glob, matcher{set: (&byteSet{}).negated()})
		case '\\':
			i++
			set := &byteSet{}
			if i < len(text) {
				set[text[i]] = true
			}
			glob = append(glob, matcher{set: set})
		case '[':
			set, length := parseBracket(text[i:])
			glob = append(glob, matcher{set: set})
			i += length - 1
		default:
			set := &byteSet{}
			set[c] = true
			glob = append(glob, matcher{set: set})
		}
	}
	return glob
}

// parseBracket reads [...] at the beginning of text, and returns what it matches and how long it is. One that is at
// fault takes all of the text and matches nothing.
func parseBracket(text string) (*byteSet, int) {
	set := &byteSet{}
	i := 1
	negated := i < len(text) && (text[i] == '!' || text[i] == '^')
	if negated {
		i++
	}
	// before is the byte that a range can begin with: zero at the beginning, after a range, and after a class.
	for before, first := byte(0), true; ; first = false {
		if i >= len(text) {
			return &byteSet{}, len(text)
		}
		c := text[i]
		rest := text[i+1:]
		switch {
		case c == ']' && !first:
			if negated {
				set = set.negated()
			}
			return set, i + 1
		case c == '\\':
			if rest == "" {
				return &byteSet{}, len(text)
			}
			before = rest[0]
			set[before] = true
			i += 2
		case c == '-' && before != 0 && rest != "" && rest[0] != ']':
			end := rest[0]
			i += 2
			if end == '\\' {
				if len(rest) < 2 {
					return &byteSet{}, len(text)
				}
				end = rest[1]
				i++
			}
			for b := int(before); b <= int(end); b++ {
				set[b] = true
			}
			before = 0
		case c == '[' && strings.HasPrefix(rest, ":"):
			class, _, closed := strings.Cut(rest[1:], "]")
			if !closed {
				return &byteSet{}, len(text)
			}
			name, isClass := strings.CutSuffix(class, ":")
			if !isClass {
				set[c], before = true, c
				i++
				continue
			}
			contains := classes[name]
			if contains == nil {
				return &byteSet{}, len(text)
			}
			for b := range 128 {
				set[b] = set[b] || contains(byte(b))
			}
			before = 0
			i += len("[:") + len(class) + len("]")
		default:
			set[c], before = true, c
			i++
		}
	}
}

func (s *byteSet) negated() *byteSet {
	inverse := &byteSet{}
	for b := range s {
		inverse[b] = !s[b]
	}
	return inverse
}

// classes are the names that [:name:] takes, for bytes of ASCII.
var classes = map[string]func(byte) bool{
	"alnum":  func(c byte) bool { return isLower(c) || isUpper(c) || isDigit(c) },
	"alpha":  func(c byte) bool { return isLower(c) || isUpper(c) },
	"blank":  func(c byte) bool { return c == ' ' || c == '\t' },
	"cntrl":  func(c byte) bool { return c < ' ' || c == 127 },
	"digit":  isDigit,
	"graph":  func(c byte) bool { return c > ' ' && c < 127 },
	"lower":  isLower,
	"print":  func(c byte) bool { return c >= ' ' && c < 127 },
	"punct":  func(c byte) bool { return c > ' ' && c < 127 && !isLower(c) && !isUpper(c) && !isDigit(c) },
	"space":  func(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' },
	"upper":  isUpper,
	"xdigit": func(c byte) bool { return isDigit(c) || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F' },
}

func isLower(c byte) bool { return c >= 'a' && c <= 'z' }
func isUpper(c byte) bool { return c >= 'A' && c <= 'Z' }
func isDigit(c byte) bool { return c >= '0' && c <= '9' }
