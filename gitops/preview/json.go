package preview

import (
	"encoding/json"
	"io"
)

// JSON writes the changes as an indented JSON object, whose fields are those of [Changes]. Fields may be added, but not
// change their meaning; a list without entries is [], not null.
func (c Changes) JSON(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(c)
}
