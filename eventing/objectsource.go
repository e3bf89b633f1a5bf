package eventing

import (
	"net/url"
	"regexp"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// ObjectSource is where a sensor fetches a Kubernetes object in YAML from, each
// time a trigger fires: [S3Object], [GitFile], [URLFile], [ConfigMapKey],
// [LocalFile] or [RawObjectSource].
type ObjectSource interface {
	validateObjectSource(path *field.Path) field.ErrorList
	objectSource() map[string]any
}

// S3Object is an object in a bucket of an S3 service.
type S3Object struct {
	// Endpoint of the service, host or host:port. Required.
	Endpoint string
	// Bucket and Key of the object. Required.
	Bucket string
	Key    string
	// Region of the bucket. Default: found out.
	Region string
	// AccessKey and SecretKey are required.
	AccessKey SecretKey
	SecretKey SecretKey
	// Insecure connects without TLS.
	Insecure bool
}

// GitFile is a file of a Git repository.
type GitFile struct {
	// URL of the repository: http, https, ssh, or user@host:path. Required. It must
	// not carry a password, and over HTTP no user: use Auth.
	URL string
	// File is the path within the repository. Required.
	File string
	// Branch, Tag or Ref to read; at most one. Default: the branch "master".
	Branch string
	Tag    string
	Ref    string
	// Auth over HTTP. Default: none.
	Auth *BasicAuth
	// SSHKey selects the private key over SSH. Forbidden with Auth, which upstream
	// prefers. Default: none.
	SSHKey *SecretKey
	// InsecureIgnoreHostKey accepts any host over SSH. Default: the host must be
	// among the known hosts of the pod.
	InsecureIgnoreHostKey bool
	// Directory to which the repository is cloned, and where later events find it
	// again. Default: a new one for each event, which upstream leaves behind.
	Directory string
	// Remote that is added and fetched from. Default: the URL, as "origin".
	Remote *GitRemote
}

// GitRemote is a further remote of a repository.
type GitRemote struct {
	// Name of the remote. Required.
	Name string
	// URLs of the remote, as of a [GitFile]. At least one is required.
	URLs []string
}

// URLFile is a file that an HTTP server serves.
type URLFile struct {
	// URL of the file, http or https. Required. It must not carry credentials.
	URL string
	// InsecureSkipVerify accepts any certificate. Upstream's default is to.
	InsecureSkipVerify bool
}

// ConfigMapKey selects one key of a ConfigMap in the namespace of the object that
// refers to it.
type ConfigMapKey struct {
	// Name of the ConfigMap and Key within it. Required.
	Name string
	Key  string
}

// LocalFile is a file in the sensor's pod, see [Pod].
type LocalFile struct {
	// Path of the file. Required.
	Path string
}

// RawObjectSource is a source as upstream defines it.
type RawObjectSource struct {
	// Source is the source of a trigger, for example {"inline": "..."}. Required.
	Source map[string]any
}

// validateSourceAlone checks a source that takes the place of an object.
func validateSourceAlone(path *field.Path, inline *unstructured.Unstructured, source ObjectSource) field.ErrorList {
	faults := source.validateObjectSource(path.Child("source"))
	if inline != nil {
		faults = append(faults, field.Forbidden(path.Child("source"), "there is an object already"))
	}
	return faults
}

func sourceSpec(inline *unstructured.Unstructured, source ObjectSource) map[string]any {
	if inline != nil {
		return map[string]any{"resource": inline.Object}
	}
	return source.objectSource()
}

func (s S3Object) validateObjectSource(path *field.Path) field.ErrorList {
	faults := object.RequiredText(path.Child("endpoint"), s.Endpoint)
	if strings.ContainsAny(s.Endpoint, "@/") {
		faults = append(faults, field.Invalid(path.Child("endpoint"), field.OmitValueType{}, "must be a host, without scheme, path or credentials"))
	}
	faults = append(faults, object.RequiredText(path.Child("bucket"), s.Bucket)...)
	faults = append(faults, object.RequiredText(path.Child("key"), s.Key)...)
	faults = append(faults, object.Text(path.Child("region"), s.Region)...)
	faults = append(faults, s.AccessKey.validate(path.Child("accessKey"))...)
	return append(faults, s.SecretKey.validate(path.Child("secretKey"))...)
}

func (s S3Object) objectSource() map[string]any {
	return map[string]any{"s3": object.Compact(map[string]any{
		"endpoint":  s.Endpoint,
		"bucket":    map[string]any{"name": s.Bucket, "key": s.Key},
		"region":    s.Region,
		"insecure":  s.Insecure,
		"accessKey": s.AccessKey.selector(),
		"secretKey": s.SecretKey.selector(),
	})}
}

func (g GitFile) validateObjectSource(path *field.Path) field.ErrorList {
	faults := validateGitURL(path.Child("url"), g.URL)
	faults = append(faults, validateGitPath(path.Child("file"), g.File)...)
	faults = append(faults, optional(path.Child("directory"), g.Directory, validateGitPath)...)
	faults = append(faults, object.Text(path.Child("branch"), g.Branch)...)
	faults = append(faults, object.Text(path.Child("tag"), g.Tag)...)
	faults = append(faults, object.Text(path.Child("ref"), g.Ref)...)
	// Upstream prefers the ref, then the tag.
	if g.Ref != "" && g.Tag != "" || g.Branch != "" && (g.Ref != "" || g.Tag != "") {
		faults = append(faults, field.Forbidden(path, "at most one of branch, tag and ref may be set"))
	}
	faults = append(faults, g.Auth.validateOptional(path.Child("auth"))...)
	faults = append(faults, g.SSHKey.validateOptional(path.Child("sshKey"))...)
	if g.Auth != nil && g.SSHKey != nil {
		faults = append(faults, field.Forbidden(path.Child("sshKey"), "auth is set"))
	}
	return append(faults, g.Remote.validate(path.Child("remote"))...)
}

func (r *GitRemote) validate(path *field.Path) field.ErrorList {
	if r == nil {
		return nil
	}
	faults := object.RequiredText(path.Child("name"), r.Name)
	if len(r.URLs) == 0 {
		faults = append(faults, field.Required(path.Child("urls"), "at least one URL is required"))
	}
	for i, remote := range r.URLs {
		faults = append(faults, validateGitURL(path.Child("urls").Index(i), remote)...)
	}
	return faults
}

// shortGitURL is the form user@host:path.
var shortGitURL = regexp.MustCompile(`^[A-Za-z0-9._-]+@[A-Za-z0-9.-]+:[^\s:@]+$`)

func validateGitURL(path *field.Path, raw string) field.ErrorList {
	if shortGitURL.MatchString(raw) {
		return nil
	}
	// A user is part of an address over SSH; a password is not.
	if parsed, err := url.Parse(raw); err == nil && parsed.Scheme == "ssh" && parsed.User != nil {
		if _, secret := parsed.User.Password(); !secret {
			parsed.User = nil
			return validateURL(path, parsed.String(), "ssh")
		}
	}
	return validateURL(path, raw, "http", "https", "ssh")
}

// validateGitPath refuses what upstream does.
// argo-events: NewGitReader in pkg/sensors/artifacts/git.go
func validateGitPath(path *field.Path, name string) field.ErrorList {
	for _, part := range []string{"..", "~", `\`} {
		if strings.Contains(name, part) {
			return field.ErrorList{field.Invalid(path, name, "must not contain "+part)}
		}
	}
	return object.RequiredText(path, name)
}

func (g GitFile) objectSource() map[string]any {
	git := object.Compact(map[string]any{
		"url":                   g.URL,
		"filePath":              g.File,
		"cloneDirectory":        g.Directory,
		"branch":                g.Branch,
		"tag":                   g.Tag,
		"ref":                   g.Ref,
		"creds":                 g.Auth.spec(),
		"sshKeySecret":          g.SSHKey.selector(),
		"insecureIgnoreHostKey": g.InsecureIgnoreHostKey,
	})
	if g.Remote != nil {
		git["remote"] = map[string]any{"name": g.Remote.Name, "urls": g.Remote.URLs}
	}
	return map[string]any{"git": git}
}

func (u URLFile) validateObjectSource(path *field.Path) field.ErrorList {
	return validateURL(path.Child("url"), u.URL, "http", "https")
}

func (u URLFile) objectSource() map[string]any {
	return map[string]any{"url": object.Compact(map[string]any{"path": u.URL, "verifyCert": !u.InsecureSkipVerify})}
}

func (c ConfigMapKey) validateObjectSource(path *field.Path) field.ErrorList {
	// The names and keys of ConfigMaps are those of Secrets.
	return SecretKey(c).validate(path)
}

func (c ConfigMapKey) objectSource() map[string]any {
	return map[string]any{"configmap": c.selector()}
}

func (c ConfigMapKey) selector() map[string]any {
	return map[string]any{"name": c.Name, "key": c.Key}
}

func (l LocalFile) validateObjectSource(path *field.Path) field.ErrorList {
	return object.RequiredText(path.Child("path"), l.Path)
}

func (l LocalFile) objectSource() map[string]any {
	return map[string]any{"file": map[string]any{"path": l.Path}}
}

func (r RawObjectSource) validateObjectSource(path *field.Path) field.ErrorList {
	return object.RequiredFragment(path.Child("source"), r.Source)
}

func (r RawObjectSource) objectSource() map[string]any { return r.Source }
