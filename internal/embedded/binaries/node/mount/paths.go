// Package mount gives a process that has no mount namespace of its own the
// files a container would see at its mount paths.
//
// Each container has a root directory, in which a symbolic link stands at
// every mount path. Paths in the container's command line, environment and
// probes that lead into a mount are rewritten to lie below that root.
package mount

import (
	"cmp"
	"path/filepath"
	"slices"
	"strings"
)

// Mount is one directory or file that a container sees.
type Mount struct {
	// Path is where the container expects it.
	Path string
	// Source is where it is on this machine.
	Source string
}

// Paths rewrites texts that name mount paths.
type Paths struct {
	root   string
	mounts []Mount
}

// NewPaths returns the mounts of the container whose root directory is root.
func NewPaths(root string, mounts []Mount) Paths {
	sorted := slices.Clone(mounts)
	for i := range sorted {
		sorted[i].Path = filepath.Clean("/" + sorted[i].Path)
	}
	// A mount below another one has the longer path and goes first.
	slices.SortStableFunc(sorted, func(a, b Mount) int { return cmp.Compare(len(b.Path), len(a.Path)) })
	return Paths{root: root, mounts: sorted}
}

// Rewrite replaces every mount path in text by the path below the root.
//
// A mount path counts only as a whole path: it stands at the start of the text
// or after one of = : , white space, quotes or shell punctuation, or after the
// :// of a URL without host, and ends with the text or before a character that
// cannot continue a path element.
func (p Paths) Rewrite(text string) string {
	if !strings.Contains(text, "/") {
		return text
	}
	var out strings.Builder
	start := 0
	for i := 0; i < len(text); {
		mount, ok := p.at(text, i)
		if !ok {
			i++
			continue
		}
		out.WriteString(text[start:i])
		out.WriteString(filepath.Join(p.root, mount))
		i += len(mount)
		start = i
	}
	out.WriteString(text[start:])
	return out.String()
}

// RewriteAll rewrites each of texts into a new slice.
func (p Paths) RewriteAll(texts []string) []string {
	out := make([]string, len(texts))
	for i, text := range texts {
		out[i] = p.Rewrite(text)
	}
	return out
}

// Resolve leads a path of the container to this machine: into the root.
func (p Paths) Resolve(path string) string { return filepath.Join(p.root, path) }

// at finds the mount path that stands as a whole path at text[i:].
func (p Paths) at(text string, i int) (string, bool) {
	if text[i:] == "" || text[i] != '/' || !opens(text[:i]) {
		return "", false
	}
	for _, mount := range p.mounts {
		if rest, ok := strings.CutPrefix(text[i:], mount.Path); ok && closes(rest) {
			return mount.Path, true
		}
	}
	return "", false
}

// separators are the characters that may stand around a path.
const separators = "=:, \t\n\"'`;&|()<>{}[]"

func opens(before string) bool {
	return before == "" || strings.HasSuffix(before, "://") || strings.IndexByte(separators, before[len(before)-1]) >= 0
}

func closes(after string) bool {
	return after == "" || after[0] == '/' || strings.IndexByte(separators, after[0]) >= 0
}
