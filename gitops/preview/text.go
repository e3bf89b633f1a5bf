package preview

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode"
)

// Text writes the changes for a terminal: deletions first, every Application with its warnings, and its differences.
func (c Changes) Text(w io.Writer) error {
	out := bufio.NewWriter(w)
	fmt.Fprintln(out, c.summary())
	for _, section := range c.sections() {
		fmt.Fprintf(out, "\n%s %s\n", section.title(), printable(section.where()))
		for _, warning := range section.Warnings {
			fmt.Fprintf(out, "  %s: %s\n", strings.ToUpper(string(warning.Severity)), printable(warning.Message))
		}
		for _, line := range section.differences() {
			fmt.Fprintf(out, "  %s\n", line)
		}
	}
	for _, failure := range c.Failures {
		fmt.Fprintf(out, "\nNOT RENDERED %s/%s at the %s: %s\n", printable(failure.Namespace), printable(failure.Name), failure.Side, printable(failure.Error))
	}
	return out.Flush()
}

// summary is one line that says what happens.
func (c Changes) summary() string {
	if c.Empty() {
		if len(c.Failures) > 0 {
			return "No Application is known to change, but not all could be rendered."
		}
		return "No Application changes."
	}
	text := fmt.Sprintf("%s added, %d changed, %d deleted", plural(len(c.Added), "Application"), len(c.Changed), len(c.Deleted))
	applications, resources := c.Deletions()
	if applications+resources > 0 {
		text += fmt.Sprintf("; deletes %s and %s", plural(applications, "Application"), plural(resources, "resource"))
	}
	return text + "."
}

// section is an Application in the outputs for people.
type section struct {
	ApplicationChange
	change Change
}

// sections are the Applications in the order in which people should read them.
func (c Changes) sections() []section {
	var out []section
	for _, change := range c.Deleted {
		out = append(out, section{change, Removed})
	}
	var harmless []section
	for _, change := range c.Changed {
		if len(change.Warnings) > 0 && change.Warnings[0].Severity != Notice {
			out = append(out, section{change, Changed})
		} else {
			harmless = append(harmless, section{change, Changed})
		}
	}
	out = append(out, harmless...)
	for _, change := range c.Added {
		out = append(out, section{change, Added})
	}
	return out
}

// title is "deleted namespace/name".
func (s section) title() string { return s.verb() + " " + printable(s.Namespace+"/"+s.Name) }

func (s section) verb() string {
	switch s.change {
	case Added:
		return "added"
	case Removed:
		return "deleted"
	}
	return "changed"
}

// where tells the project, the destination and who declares the Application.
func (s section) where() string {
	text := fmt.Sprintf("(project %s, to %s", s.Project, s.Destination)
	if s.ApplicationSet != "" {
		text += ", from ApplicationSet " + s.ApplicationSet
	}
	if s.Parent != "" {
		text += ", in " + s.Parent
	}
	return text + ")"
}

// differences are the lines of a diff: fields of the Application, then its resources with theirs.
func (s section) differences() []string {
	var lines []string
	for _, field := range s.Fields {
		lines = append(lines, fieldLines("", field)...)
	}
	marks := map[Change]string{Added: "+", Changed: "!", Removed: "-"}
	for _, resource := range s.Resources {
		name := resourceKey{Namespace: resource.Namespace, Name: resource.Name}
		name.Group, name.Kind = resource.Group, resource.Kind
		lines = append(lines, fmt.Sprintf("%s %s: %s", marks[resource.Change], printable(name.String()), resource.Outcome.words()))
		for _, field := range resource.Fields {
			lines = append(lines, fieldLines("  ", field)...)
		}
	}
	return lines
}

// words are the outcome for people.
func (o Outcome) words() string {
	switch o {
	case Creates:
		return "created"
	case Updates:
		return "updated"
	case Deletes:
		return "DELETED"
	case Leaves:
		return "left as it is in the cluster"
	case AwaitsSync:
		return "out of sync until somebody syncs"
	case AwaitsPrune:
		return "stays until somebody prunes"
	case AwaitsConfirmation:
		return "DELETED once somebody confirms"
	case RunsAsHook:
		return "hook"
	}
	return string(o)
}

// fieldLines are the lines of a diff that show one field.
func fieldLines(indent string, field FieldChange) []string {
	path := printable(field.Path)
	if field.Hidden {
		return []string{fmt.Sprintf("! %s%s: (hidden)", indent, path)}
	}
	old, isText := field.Old.(string)
	replacement, stillText := field.New.(string)
	if isText && stillText && strings.Contains(old+replacement, "\n") {
		return append([]string{fmt.Sprintf("! %s%s:", indent, path)}, textLines(indent+"  ", old, replacement)...)
	}
	var lines []string
	if field.Old != nil {
		lines = append(lines, fmt.Sprintf("- %s%s: %s", indent, path, shown(field.Old)))
	}
	if field.New != nil {
		lines = append(lines, fmt.Sprintf("+ %s%s: %s", indent, path, shown(field.New)))
	}
	if lines == nil {
		lines = []string{fmt.Sprintf("! %s%s: null", indent, path)} // a field that is null is not one that is absent
	}
	return lines
}

// textLines are what differs between two texts: all between the lines that they begin and end with.
func textLines(indent, old, replacement string) []string {
	before, after := strings.Split(old, "\n"), strings.Split(replacement, "\n")
	for len(before) > 0 && len(after) > 0 && before[0] == after[0] {
		before, after = before[1:], after[1:]
	}
	for len(before) > 0 && len(after) > 0 && before[len(before)-1] == after[len(after)-1] {
		before, after = before[:len(before)-1], after[:len(after)-1]
	}
	var lines []string
	for _, line := range before {
		lines = append(lines, "- "+indent+shortText(printable(line)))
	}
	for _, line := range after {
		lines = append(lines, "+ "+indent+shortText(printable(line)))
	}
	return lines
}

// shown is a value in one line.
func shown(value any) string {
	var text strings.Builder
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return shortText(printable(fmt.Sprint(value)))
	}
	return shortText(printable(strings.TrimSuffix(text.String(), "\n")))
}

// maxLine is the most characters of a value that a line shows.
const maxLine = 500

func shortText(text string) string {
	runes := []rune(text)
	if len(runes) <= maxLine {
		return text
	}
	return fmt.Sprintf("%s... (%d more characters)", string(runes[:maxLine]), len(runes)-maxLine)
}

// printable takes out what moves a cursor or hides text: the content is anybody's.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r == '\t' || r == '\n' || r == '\r' {
			return ' '
		}
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return unicode.ReplacementChar
		}
		return r
	}, text)
}
