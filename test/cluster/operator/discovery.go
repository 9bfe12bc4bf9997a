package main

import (
	"context"
	"sort"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/restmapper"
)

// Discover asks what there is, in one request and in one for each group, and resolves names.
func discover(_ context.Context, r *room) error {
	config, seen := watched(r.config)
	client, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return err
	}
	_, aggregated, err := client.ServerGroupsAndResources()
	if err != nil {
		return err
	}
	r.say("requests", seen.all())
	client.UseLegacyDiscovery = true
	_, legacy, err := client.ServerGroupsAndResources()
	if err != nil {
		return err
	}
	client.UseLegacyDiscovery = false
	one, other := byResource(aggregated), byResource(legacy)
	r.say("only-when-asked-at-once", without(one, other))
	r.say("only-when-asked-one-by-one", without(other, one))
	r.say("at-once", pick(one))
	r.say("one-by-one", pick(other))
	return resolve(r, client)
}

// Some of what every server has, with what is different about it.
var some = []string{"v1/pods", "v1/pods/eviction", "v1/namespaces/finalize",
	"v1/serviceaccounts/token", "apps/v1/deployments", "apps/v1/deployments/scale",
	"coordination.k8s.io/v1/leases", "events.k8s.io/v1/events", "batch/v1/cronjobs/status",
	"autoscaling/v2/horizontalpodautoscalers", "policy/v1/poddisruptionbudgets",
	"authorization.k8s.io/v1/selfsubjectaccessreviews",
	"apiextensions.k8s.io/v1/customresourcedefinitions"}

func resolve(r *room, client *discovery.DiscoveryClient) error {
	cached := memory.NewMemCacheClient(client)
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(cached)
	short := restmapper.NewShortcutExpander(mapper, cached, nil)
	resolved := map[string]any{}
	for _, name := range []string{"po", "deploy", "cm", "hpa", "cronjob", "Lease", "crds", "none"} {
		found, err := short.ResourceFor(schema.GroupVersionResource{Resource: name})
		if err != nil {
			resolved[name] = map[string]any{"isNoMatch": meta.IsNoMatchError(err), "text": err.Error()}
			continue
		}
		resolved[name] = found.String()
	}
	r.say("short-names", resolved)
	mappings := map[string]any{}
	for _, kind := range []schema.GroupKind{
		{Kind: "Pod"}, {Kind: "Node"}, {Group: "apps", Kind: "Deployment"},
		{Group: "autoscaling", Kind: "HorizontalPodAutoscaler"}, {Group: "events.k8s.io", Kind: "Event"},
		{Group: "rbac.authorization.k8s.io", Kind: "ClusterRole"}, {Group: "example.com", Kind: "None"},
	} {
		mapping, err := mapper.RESTMapping(kind)
		if err != nil {
			mappings[kind.String()] = err.Error()
			continue
		}
		mappings[kind.String()] = []string{mapping.Resource.String(), string(mapping.Scope.Name())}
	}
	r.say("mappings", mappings)
	verbs, err := discovery.ServerPreferredNamespacedResources(cached)
	if err != nil {
		return err
	}
	deletable := discovery.FilteredBy(discovery.SupportsAllVerbs{Verbs: []string{"list", "delete"}}, verbs)
	found := byResource(deletable)
	r.say("deletable", []bool{found["v1/pods"] != nil, found["v1/bindings"] != nil})
	paths, err := client.OpenAPIV3().Paths()
	if err != nil {
		return err
	}
	document, err := paths["apis/apps/v1"].Schema(protobufOpenAPI)
	r.say("openapi-v3", map[string]any{"some": len(document) > 0, "error": told(err)})
	version, err := client.ServerVersion()
	if err != nil {
		return err
	}
	r.say("version", map[string]any{"major": version.Major, "minor": version.Minor != ""})
	return nil
}

const protobufOpenAPI = "application/com.github.proto-openapi.spec.v3.v1.0+protobuf"

func byResource(lists []*metav1.APIResourceList) map[string]*metav1.APIResource {
	out := map[string]*metav1.APIResource{}
	for _, list := range lists {
		for i := range list.APIResources {
			resource := &list.APIResources[i]
			// The order of names has no meaning, and a hash only tells a server's replicas apart.
			sort.Strings(resource.Verbs)
			sort.Strings(resource.ShortNames)
			sort.Strings(resource.Categories)
			resource.StorageVersionHash = ""
			out[list.GroupVersion+"/"+resource.Name] = resource
		}
	}
	return out
}

func without(of map[string]*metav1.APIResource, other map[string]*metav1.APIResource) []string {
	out := []string{}
	for name := range of {
		// Others make kinds of their own meanwhile.
		if other[name] == nil && !strings.Contains(name, ".example.com/") {
			out = append(out, name)
		}
	}
	sort.Strings(out)
	return out
}

func pick(of map[string]*metav1.APIResource) map[string]*metav1.APIResource {
	out := map[string]*metav1.APIResource{}
	for _, name := range some {
		out[name] = of[name]
	}
	return out
}
