package admission

import (
	"io"
	"io/fs"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/controlbackbone/backbone/internal/manifest"
)

// MaxFileSize is what Load and Read take of one file, in bytes. A manifest that the API server takes is smaller by far.
const MaxFileSize = manifest.MaxFileSize

// Document is an object and where it was read.
type Document = manifest.Document

// Objects returns the objects of documents.
func Objects(documents []Document) []*unstructured.Unstructured { return manifest.Objects(documents) }

// Load reads the objects of all files with the endings .yaml, .yml and .json at the paths and below, in order. Names that
// begin with a dot, and symbolic links, are passed over. The error joins the faults of all files.
func Load(fsys fs.FS, paths ...string) ([]Document, error) { return manifest.Load(fsys, paths...) }

// Read reads the objects of one file. Lists give their items. An error names the file and the line.
func Read(reader io.Reader, file string) ([]Document, error) { return manifest.Read(reader, file) }
