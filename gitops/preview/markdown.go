package preview

import (
	"fmt"
	"html"
	"io"
	"strings"
)

// MaxMarkdown is the most bytes that [Changes.Markdown] writes: GitHub refuses longer comments.
const MaxMarkdown = 65_536

// The parts of a comment end at these sizes in bytes, so that a long one leaves room for the next.
const (
	alertsEnd   = 20_000
	tableEnd    = 36_000
	failuresEnd = 42_000
	// detailsEnd leaves room for the note of what was left out.
	detailsEnd = MaxMarkdown - 300
	// maxSection is the most bytes of the differences of one Application.
	maxSection = 12_000
	// maxName and maxMessage are the most characters of a name or a message.
	maxName, maxMessage = 120, 400
)

// Markdown writes the changes as a comment on a pull request: what is deleted first, a table of the Applications, and
// their differences folded in. It leaves out what does not fit into [MaxMarkdown], and says so. Nothing in the objects
// can end a fence, make a link or mention anybody.
func (c Changes) Markdown(w io.Writer) error {
	var out strings.Builder
	fmt.Fprintf(&out, "### GitOps preview\n\n%s\n", plainText(c.summary()))
	sections := c.sections()
	writeAlerts(&out, sections)
	writeTable(&out, sections)
	writeFailures(&out, c.Failures)
	var details []string
	for _, section := range sections {
		details = append(details, section.details())
	}
	if left := writeUpTo(&out, detailsEnd, details); left > 0 {
		fmt.Fprintf(&out, "\nThe differences of %s are left out: a comment has at most %d characters.\n", plural(left, "Application"), MaxMarkdown)
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// writeUpTo writes those parts that end before a size, and returns how many it left out.
func writeUpTo(out *strings.Builder, end int, parts []string) int {
	left := 0
	for _, part := range parts {
		if out.Len()+len(part) > end {
			left++
			continue
		}
		out.WriteString(part)
	}
	return left
}

// writeAlerts lists the warnings that are no mere notices.
func writeAlerts(out *strings.Builder, sections []section) {
	var lines []string
	for _, severity := range []Severity{Critical, Danger} {
		for _, section := range sections {
			for _, warning := range section.Warnings {
				if warning.Severity == severity {
					lines = append(lines, fmt.Sprintf("> - **%s** %s: %s\n", severity, section.code(), plainText(warning.Message)))
				}
			}
		}
	}
	if len(lines) == 0 {
		return
	}
	out.WriteString("\n> [!CAUTION]\n")
	if left := writeUpTo(out, alertsEnd, lines); left > 0 {
		fmt.Fprintf(out, "> - and %s\n", plural(left, "more warning"))
	}
}

func writeTable(out *strings.Builder, sections []section) {
	if len(sections) == 0 {
		return
	}
	var rows []string
	for _, section := range sections {
		rows = append(rows, fmt.Sprintf("| %s | %s | %s | %s | %s |\n", section.code(), section.state(), section.counts(),
			codeSpan(section.Project), codeSpan(section.Destination)))
	}
	out.WriteString("\n| Application | | Resources | Project | Destination |\n|---|---|---|---|---|\n")
	if left := writeUpTo(out, tableEnd, rows); left > 0 {
		fmt.Fprintf(out, "| and %s | | | | |\n", plural(left, "more Application"))
	}
}

func writeFailures(out *strings.Builder, failures []Failure) {
	if len(failures) == 0 {
		return
	}
	var lines []string
	for _, failure := range failures {
		lines = append(lines, fmt.Sprintf("> - %s at the %s: %s\n", codeSpan(failure.Namespace+"/"+failure.Name), failure.Side, plainText(failure.Error)))
	}
	out.WriteString("\n> [!WARNING]\n> What these Applications deploy is unknown:\n")
	if left := writeUpTo(out, failuresEnd, lines); left > 0 {
		fmt.Fprintf(out, "> - and %d more\n", left)
	}
}

// code is the Application's name as code.
func (s section) code() string { return codeSpan(s.Namespace + "/" + s.Name) }

// state is the cell that tells what becomes of the Application.
func (s section) state() string {
	switch {
	case s.change != Removed:
		return s.verb()
	case s.Outcome == Deletes:
		return "**deleted**"
	}
	return "no longer declared, " + s.Outcome.words()
}

// counts is the cell with the number of resources that are added, changed and removed.
func (s section) counts() string {
	count := map[Change]int{}
	for _, resource := range s.Resources {
		count[resource.Change]++
	}
	var parts []string
	for _, change := range []Change{Added, Changed, Removed} {
		if count[change] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", count[change], change))
		}
	}
	return strings.Join(parts, ", ")
}

// details are the warnings and the differences of the Application, folded in.
func (s section) details() string {
	var out strings.Builder
	fmt.Fprintf(&out, "\n<details><summary>%s <code>%s</code></summary>\n\n", s.verb(), html.EscapeString(cut(printable(s.Namespace+"/"+s.Name), maxName)))
	for _, warning := range s.Warnings {
		fmt.Fprintf(&out, "- **%s** %s\n", warning.Severity, plainText(warning.Message))
	}
	lines := s.differences()
	shown, size := 0, 0
	for shown < len(lines) && size+len(lines[shown]) < maxSection {
		size += len(lines[shown]) + 1
		shown++
	}
	if shown > 0 {
		text := strings.Join(lines[:shown], "\n")
		fence := strings.Repeat("`", max(3, longestRun(text)+1))
		fmt.Fprintf(&out, "\n%sdiff\n%s\n%s\n", fence, text, fence)
	}
	if more := len(lines) - shown; more > 0 {
		fmt.Fprintf(&out, "\n%s left out.\n", plural(more, "line"))
	}
	out.WriteString("\n</details>\n")
	return out.String()
}

// longestRun is the length of the longest run of backticks.
func longestRun(text string) int {
	longest, run := 0, 0
	for _, r := range text {
		if r != '`' {
			run = 0
			continue
		}
		run++
		longest = max(longest, run)
	}
	return longest
}

// codeSpan shows a name as code, in a cell of a table too.
func codeSpan(name string) string {
	name = cut(printable(name), maxName)
	if name == "" {
		return ""
	}
	ticks := strings.Repeat("`", longestRun(name)+1)
	if strings.HasPrefix(name, "`") || strings.HasSuffix(name, "`") {
		name = " " + name + " "
	}
	// A bar would end the cell, even in code.
	return ticks + strings.ReplaceAll(name, "|", "¦") + ticks
}

// plainText shows a message as it is.
func plainText(message string) string {
	var out strings.Builder
	for _, r := range cut(printable(message), maxMessage) {
		switch {
		case r == '@' || r == '#':
			// A word joiner keeps GitHub from mentioning a person or an issue.
			out.WriteRune(r)
			out.WriteRune('\u2060')
		case strings.ContainsRune("\\`*_{}[]()!|~<>&", r):
			fmt.Fprintf(&out, "&#%d;", r)
		default:
			out.WriteRune(r)
		}
	}
	return out.String()
}

// cut shortens what stands first, so that one long name cannot push out the others.
func cut(text string, most int) string {
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "..."
	}
	return text
}
