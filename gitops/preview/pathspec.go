package preview

import (
	"errors"
	"fmt"
	"strings"
)

// pathspec is a pattern as "git ls-files" reads it (git: Documentation/glossary-content.txt, pathspec): a path matches
// that is the pattern, is in the folder that the pattern names, or matches it as a glob whose * and ? cross slashes.
// It is matched byte by byte, as git does.
type pathspec struct {
	// text is the pattern as a plain path.
	text string
	// fixed is how much of the text is free of wildcards, and so begins every match.
	fixed int
	// glob is empty when the pattern has no wildcards.
	glob []matcher
}

// matcher matches one byte out of set, or as many bytes as it takes if it is a star.
type matcher struct {
	set  *byteSet
	star bool
}

type byteSet [256]bool

// parsePathspec reads a pattern. An empty one stands for everything, as Argo CD has it.
func parsePathspec(pattern string) (pathspec, error) {
	fault := func(text string) (pathspec, error) {
		return pathspec{}, fmt.Errorf("pattern %q %s", pattern, text)
	}
	switch {
	case strings.HasPrefix(pattern, ":"):
		return fault("begins with a colon, which is pathspec magic that preview does not know; " +
			"write it without, or as [:] for a folder that begins with a colon")
	case strings.HasPrefix(pattern, "/"):
		return fault("is an absolute path, which git takes for one outside of the repository; leave out the leading slash")
	case strings.ContainsRune(pattern, 0):
		return fault("holds a NUL character, which no path can")
	}
	text, err := cleanPathspec(pattern)
	if err != nil {
		return fault(err.Error())
	}
	spec := pathspec{text: text, fixed: len(text)}
	if at := strings.IndexAny(text, `*?[\`); at >= 0 {
		spec.fixed = at
		spec.glob = parseGlob(text)
	}
	return spec, nil
}

// cleanPathspec resolves . and .. in a pattern, by the letter, and keeps a slash at the end, which means a folder
// (git: path.c, normalize_path_copy).
func cleanPathspec(pattern string) (string, error) {
	var kept []string
	last := ""
	for part := range strings.SplitSeq(pattern, "/") {
		switch last = part; part {
		case "", ".":
		case "..":
			if len(kept) == 0 {
				return "", errors.New("leads out of the repository; leave out the leading ..")
			}
			kept = kept[:len(kept)-1]
		default:
			kept = append(kept, part)
		}
	}
	text := strings.Join(kept, "/")
	if len(kept) > 0 && (last == "" || last == "." || last == "..") {
		text += "/"
	}
	return text, nil
}

// matches tells whether the path of a file is one that the pattern is for.
func (p pathspec) matches(path string) bool {
	if p.text == "" {
		return true
	}
	rest, within := strings.CutPrefix(path, p.text)
	if within && (rest == "" || rest[0] == '/' || strings.HasSuffix(p.text, "/")) {
		return true
	}
	return p.glob != nil && strings.HasPrefix(path, p.text[:p.fixed]) && globMatches(p.glob, path)
}

// matchesSubmodule is matches for a submodule, which a pattern with a slash at the end is for too.
func (p pathspec) matchesSubmodule(path string) bool {
	return p.matches(path) || p.text == path+"/"
}

// mayHold tells whether a folder can hold a match.
func (p pathspec) mayHold(dir string) bool {
	fixed := p.text[:p.fixed]
	return dir == "." || strings.HasPrefix(dir+"/", fixed) || strings.HasPrefix(fixed, dir+"/")
}

// globMatches needs to come back to the last star only: what an earlier star could take in addition, the last one can.
func globMatches(glob []matcher, text string) bool {
	at, i := 0, 0
	star, from := -1, 0
	for i < len(text) {
		switch {
		case at < len(glob) && glob[at].star:
			star, from = at, i
			at++
		case at < len(glob) && glob[at].set[text[i]]:
			at++
			i++
		case star >= 0:
			from++
			at, i = star+1, from
		default:
			return false
		}
	}
	for at < len(glob) && glob[at].star {
		at++
	}
	return at == len(glob)
}
