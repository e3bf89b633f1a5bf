package admission

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"

	"github.com/google/go-containerregistry/pkg/authn"
	regname "github.com/google/go-containerregistry/pkg/name"
	gcrremote "github.com/google/go-containerregistry/pkg/v1/remote"
	kyvernov1 "github.com/kyverno/kyverno/api/kyverno/v1"
	"github.com/kyverno/kyverno/ext/wildcard"
	engineapi "github.com/kyverno/kyverno/pkg/engine/api"
	"github.com/kyverno/kyverno/pkg/engine/apicall"
	enginecontext "github.com/kyverno/kyverno/pkg/engine/context"
	"github.com/kyverno/kyverno/pkg/engine/context/loaders"
	"github.com/kyverno/kyverno/pkg/engine/jmespath"
	"github.com/kyverno/kyverno/pkg/globalcontext/store"
	"github.com/kyverno/kyverno/pkg/logging"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func matchesPattern(pattern, text string) bool { return pattern == "" || wildcard.Match(pattern, text) }

// contextLoader loads the context of one rule from Data, with Kyverno's own loaders.
type contextLoader struct {
	cluster *cluster
	// values take the place of entries.
	values map[string]any
	// onlyValues leaves entries without a value out, as the command line does.
	onlyValues bool
}

// Load implements engineapi.ContextLoader.
func (l contextLoader) Load(
	ctx context.Context, jp jmespath.Interface, _ engineapi.RawClient, _ engineapi.RegistryClientFactory,
	entries []kyvernov1.ContextEntry, jsonContext enginecontext.Interface,
) error {
	for key, value := range l.values {
		if err := jsonContext.AddVariable(key, value); err != nil {
			return fmt.Errorf("variable %s: %w", key, err)
		}
	}
	for _, entry := range entries {
		inner, err := l.loader(ctx, jp, entry, jsonContext)
		if err != nil {
			return err
		}
		if inner == nil {
			continue
		}
		deferred, err := enginecontext.NewDeferredLoader(entry.Name, inner, logging.GlobalLogger())
		if err != nil {
			return err
		}
		if err := jsonContext.AddDeferredLoader(deferred); err != nil {
			return err
		}
	}
	return nil
}

// loader returns the loader of an entry, nil for one that is left out.
func (l contextLoader) loader(
	ctx context.Context, jp jmespath.Interface, entry kyvernov1.ContextEntry, jsonContext enginecontext.Interface,
) (enginecontext.Loader, error) {
	logger := logging.GlobalLogger()
	if entry.Variable != nil {
		return loaders.NewVariableLoader(logger, entry, jsonContext, jp), nil
	}
	if _, given := l.values[entry.Name]; given || l.onlyValues {
		return nil, nil
	}
	// Kyverno's loaders turn what is missing into text, and an entry's default may stand in for it.
	missing := &recorder{}
	inner := withRecorder(ctx, missing)
	out := &recordingLoader{missing: missing, outer: recorderOf(ctx)}
	switch {
	case entry.ConfigMap != nil:
		out.Loader = loaders.NewConfigMapLoader(inner, logger, entry, configMaps{l.cluster}, jsonContext)
	case entry.APICall != nil:
		out.Loader = loaders.NewAPILoader(inner, logger, asPath(entry), jsonContext, jp, clusterClient{l.cluster}, apicall.APICallConfiguration{})
	case entry.GlobalReference != nil:
		out.Loader = loaders.NewGCTXLoader(inner, logger, entry, jsonContext, jp, globalStore{l.cluster, missing})
	case entry.ImageRegistry != nil:
		out.Loader = loaders.NewImageDataLoader(inner, logger, entry, jsonContext, jp, registries{l.cluster})
	default:
		return nil, fmt.Errorf("context entry %s has no source", entry.Name)
	}
	return out, nil
}

// recordingLoader remembers what is missing when loading fails for it.
type recordingLoader struct {
	enginecontext.Loader
	missing, outer *recorder
}

// LoadData implements enginecontext.Loader.
func (l *recordingLoader) LoadData() error {
	l.missing.forget()
	err := l.Loader.LoadData()
	if err == nil {
		return nil
	}
	var missing *MissingContextError
	if errors.As(l.missing.first(), &missing) {
		l.outer.note(missing)
	}
	return err
}

// asPath makes the call of a service one of a path, so that it is answered by Data and never by the network.
func asPath(entry kyvernov1.ContextEntry) kyvernov1.ContextEntry {
	if entry.APICall.Service == nil {
		return entry
	}
	call := entry.APICall.DeepCopy()
	call.URLPath, call.Service = call.Service.URL, nil
	entry.APICall = call
	return entry
}

// configMaps implements engineapi.ConfigmapResolver.
type configMaps struct{ *cluster }

// Get implements engineapi.ConfigmapResolver.
func (c configMaps) Get(ctx context.Context, namespace, name string) (*corev1.ConfigMap, error) {
	obj, err := c.get(recorderOf(ctx), schema.GroupKind{Kind: "ConfigMap"}, client.ObjectKey{Namespace: namespace, Name: name})
	if err != nil {
		return nil, err
	}
	out := &corev1.ConfigMap{}
	return out, runtime.DefaultUnstructuredConverter.FromUnstructured(obj.Object, out)
}

// globalStore implements the store of global context entries.
type globalStore struct {
	*cluster
	missing *recorder
}

// Get implements loaders.Store.
func (s globalStore) Get(key string) (store.Entry, bool) {
	value, found := s.global[key]
	if !found {
		s.missing.note(&MissingContextError{What: "GlobalContextEntry " + key, Supply: "Data.GlobalContext"})
		return nil, false
	}
	return globalEntry{key, value}, true
}

// globalEntry is the data of one entry.
type globalEntry struct {
	name  string
	value any
}

// Get implements store.Entry.
func (e globalEntry) Get(projection string) (any, error) {
	if projection == "" {
		return e.value, nil
	}
	fields, _ := e.value.(map[string]any)
	value, found := fields[projection]
	if !found {
		return nil, fmt.Errorf("GlobalContextEntry %s has no projection %s", e.name, projection)
	}
	return value, nil
}

// Stop implements store.Entry.
func (globalEntry) Stop() {}

// registries gives Kyverno registry clients that answer from Data.Images.
type registries struct{ *cluster }

// GetClient implements engineapi.RegistryClientFactory.
func (r registries) GetClient(ctx context.Context, _ *kyvernov1.ImageRegistryCredentials) (engineapi.RegistryClient, error) {
	return registry{r.cluster, recorderOf(ctx)}, nil
}

// registry implements engineapi.RegistryClient.
type registry struct {
	*cluster
	missing *recorder
}

func (r registry) missingImage(reference string) error {
	return r.missing.record(&MissingContextError{What: "image " + reference, Supply: "Data.Images"})
}

// ForRef implements engineapi.ImageDataClient.
func (r registry) ForRef(_ context.Context, reference string) (*engineapi.ImageData, error) {
	data, found := r.images[reference]
	if !found {
		return nil, r.missingImage(reference)
	}
	out := &engineapi.ImageData{Image: reference}
	for field, into := range map[string]*string{
		"resolvedImage": &out.ResolvedImage, "registry": &out.Registry, "repository": &out.Repository, "identifier": &out.Identifier,
	} {
		*into, _ = data[field].(string)
	}
	for field, into := range map[string]*[]byte{"manifest": &out.Manifest, "configData": &out.Config, "manifestList": &out.ManifestList} {
		value, found := data[field]
		if !found && field == "manifestList" {
			continue
		}
		raw, err := json.Marshal(value)
		if err != nil {
			return nil, fmt.Errorf("data.images[%s].%s: %w", reference, field, err)
		}
		*into = raw
	}
	return out, nil
}

// FetchImageDescriptor implements engineapi.ImageDataClient.
func (r registry) FetchImageDescriptor(_ context.Context, reference string) (*gcrremote.Descriptor, error) {
	return nil, r.missingImage("signatures of " + reference)
}

// Keychain implements engineapi.KeychainClient.
func (registry) Keychain() authn.Keychain { return authn.NewMultiKeychain() }

// Options implements engineapi.RemoteClient.
func (registry) Options(context.Context) ([]gcrremote.Option, error) {
	// Kyverno tells by this type that nothing was verified: another error would count as a failed verification.
	return nil, &net.OpError{Op: "dial", Net: "registry", Err: errors.New("offline: there is no registry")}
}

// NameOptions implements engineapi.RemoteClient.
func (registry) NameOptions() []regname.Option { return nil }
