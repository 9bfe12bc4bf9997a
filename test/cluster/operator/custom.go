package main

import (
	"context"
	"fmt"

	extensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	extensions "k8s.io/apiextensions-apiserver/pkg/client/clientset/clientset"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/scale"
	"k8s.io/client-go/tools/cache"
	"k8s.io/utils/ptr"
)

// Custom makes a kind of its own, uses it without types, and takes it away again.
func custom(ctx context.Context, r *room) error {
	client, err := extensions.NewForConfig(r.config)
	if err != nil {
		return err
	}
	definitions := client.ApiextensionsV1().CustomResourceDefinitions()
	gauge := gaugeDefinition(r.run + ".example.com")
	cached := memory.NewMemCacheClient(r.client.Discovery())
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(cached)
	kind := schema.GroupKind{Group: gauge.Spec.Group, Kind: "Gauge"}
	_, err = mapper.RESTMapping(kind)
	r.say("unknown-kind", err != nil)
	if _, err := definitions.Create(ctx, gauge, created); err != nil {
		return err
	}
	if err := until(ctx, "established", func(ctx context.Context) (bool, error) {
		found, err := definitions.Get(ctx, gauge.Name, metav1.GetOptions{})
		return err == nil && isEstablished(found), err
	}); err != nil {
		return err
	}
	r.see("definition")(definitions.Get(ctx, gauge.Name, metav1.GetOptions{}))
	plural := schema.GroupVersionResource{Group: gauge.Spec.Group, Version: "v1", Resource: "gauges"}
	gauges := r.dynamic.Resource(plural).Namespace(r.namespace)
	// A kind is established before every server serves it.
	if err := until(ctx, "served", func(ctx context.Context) (bool, error) {
		_, listErr := gauges.List(ctx, metav1.ListOptions{})
		mapper.Reset()
		_, mapErr := mapper.RESTMapping(kind)
		return listErr == nil && mapErr == nil, nil
	}); err != nil {
		return err
	}
	mapping, err := mapper.RESTMapping(kind)
	if err != nil {
		return err
	}
	r.say("mapping", []string{mapping.Resource.String(), mapping.GroupVersionKind.String(),
		string(mapping.Scope.Name())})
	if err := gaugeInformer(ctx, r, plural, gauges); err != nil {
		return err
	}
	if err := gaugeParts(ctx, r, plural, gauges); err != nil {
		return err
	}
	scales := scale.New(r.client.Discovery().RESTClient(), mapper, dynamic.LegacyAPIPathResolverFunc,
		scale.NewDiscoveryScaleKindResolver(cached)).Scales(r.namespace)
	given, err := scales.Get(ctx, plural.GroupResource(), "one", metav1.GetOptions{})
	r.see("scale")(given, err)
	if err == nil {
		given.Spec.Replicas = 7
		r.see("scaled")(scales.Update(ctx, plural.GroupResource(), given, updated))
		r.see("scale-patched")(scales.Patch(ctx, plural, "one", types.MergePatchType,
			[]byte(`{"spec":{"replicas":8}}`), patched))
	}
	r.say("delete-all", told(gauges.DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{})))
	r.say("undefine", told(definitions.Delete(ctx, gauge.Name, metav1.DeleteOptions{})))
	return until(ctx, "undefined", func(ctx context.Context) (bool, error) {
		_, err := definitions.Get(ctx, gauge.Name, metav1.GetOptions{})
		_, listErr := gauges.List(ctx, metav1.ListOptions{})
		return apierrors.IsNotFound(err) && apierrors.IsNotFound(listErr), nil
	})
}

func isEstablished(definition *extensionsv1.CustomResourceDefinition) bool {
	for _, condition := range definition.Status.Conditions {
		if condition.Type == extensionsv1.Established {
			return condition.Status == extensionsv1.ConditionTrue
		}
	}
	return false
}

func gaugeInformer(
	ctx context.Context,
	r *room,
	plural schema.GroupVersionResource,
	gauges dynamic.ResourceInterface,
) error {
	if _, err := gauges.Create(ctx, gaugeNamed(plural, "zero", 0), created); err != nil {
		return err
	}
	config, seen := watched(r.config)
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return err
	}
	factory := dynamicinformer.NewFilteredDynamicSharedInformerFactory(client, 0, r.namespace, nil)
	informer := factory.ForResource(plural)
	log := &calls{}
	registration, err := informer.Informer().AddEventHandler(log)
	if err != nil {
		return err
	}
	stop := make(chan struct{})
	factory.Start(stop)
	if !cache.WaitForCacheSync(ctx.Done(), registration.HasSynced) {
		return fmt.Errorf("gauges: %w", ctx.Err())
	}
	one, err := gauges.Create(ctx, gaugeNamed(plural, "one", 3), created)
	r.see("create")(one, err)
	if err != nil {
		return err
	}
	if err := until(ctx, "the gauge one", log.has("one")); err != nil {
		return err
	}
	told := log.take()
	if err := gauges.Delete(ctx, "zero", metav1.DeleteOptions{}); err != nil {
		return err
	}
	if err := until(ctx, "no gauge zero", log.has("zero")); err != nil {
		return err
	}
	if _, err := informer.Lister().ByNamespace(r.namespace).Get("one"); err != nil {
		return err
	}
	r.say("informed-of-zero", log.take())
	r.say("informed", told)
	r.say("requests", seen.all())
	close(stop)
	factory.Shutdown()
	return nil
}

func gaugeParts(
	ctx context.Context,
	r *room,
	plural schema.GroupVersionResource,
	gauges dynamic.ResourceInterface,
) error {
	_, err := gauges.Create(ctx, gaugeNamed(plural, "high", 101), created)
	r.say("too-high", told(err))
	odd := gaugeNamed(plural, "odd", 1)
	_ = unstructured.SetNestedField(odd.Object, "?", "spec", "unknown")
	r.see("pruned")(gauges.Create(ctx, odd, created))
	strict := created
	strict.FieldValidation = metav1.FieldValidationStrict
	odd.SetName("strict")
	odd.SetResourceVersion("")
	_, err = gauges.Create(ctx, odd, strict)
	r.say("strict", told(err))
	one, err := gauges.Get(ctx, "one", metav1.GetOptions{})
	if err != nil {
		return err
	}
	_ = unstructured.SetNestedField(one.Object, int64(42), "status", "shown")
	_ = unstructured.SetNestedField(one.Object, int64(9), "spec", "replicas")
	r.see("status")(gauges.UpdateStatus(ctx, one, updated))
	r.see("merge-patch")(gauges.Patch(ctx, "one", types.MergePatchType,
		[]byte(`{"spec":{"replicas":4},"status":{"shown":1}}`), patched))
	_, err = gauges.Patch(ctx, "one", types.StrategicMergePatchType,
		[]byte(`{"spec":{"replicas":5}}`), patched)
	r.say("strategic-patch", told(err))
	r.see("json-patch")(gauges.Patch(ctx, "one", types.JSONPatchType,
		[]byte(`[{"op":"add","path":"/spec/labels","value":["a","b"]}]`), patched))
	wanted := gaugeNamed(plural, "one", 6)
	_, err = gauges.Apply(ctx, "one", wanted, metav1.ApplyOptions{FieldManager: "applier"})
	r.say("apply-conflict", told(err))
	r.see("applied")(gauges.Apply(ctx, "one", wanted,
		metav1.ApplyOptions{FieldManager: "applier", Force: true}))
	stepped := gaugeNamed(plural, "one", 6)
	_ = unstructured.SetNestedField(stepped.Object, "kelvin", "spec", "unit")
	_, err = gauges.Apply(ctx, "one", stepped,
		metav1.ApplyOptions{FieldManager: "applier", Force: true})
	r.say("unit-may-not-change", told(err))
	older := plural
	older.Version = "v1beta1"
	r.see("in-an-older-version")(r.dynamic.Resource(older).Namespace(r.namespace).
		Get(ctx, "one", metav1.GetOptions{}))
	return nil
}

func gaugeNamed(plural schema.GroupVersionResource, name string, replicas int64) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": plural.GroupVersion().String(), "kind": "Gauge",
		"metadata": map[string]any{"name": name},
		"spec":     map[string]any{"replicas": replicas},
	}}
}

func gaugeDefinition(group string) *extensionsv1.CustomResourceDefinition {
	properties := func(of map[string]extensionsv1.JSONSchemaProps) extensionsv1.JSONSchemaProps {
		return extensionsv1.JSONSchemaProps{Type: "object", Properties: of}
	}
	spec := properties(map[string]extensionsv1.JSONSchemaProps{
		"replicas": {Type: "integer", Maximum: ptr.To(100.0)},
		"unit":     {Type: "string", Default: &extensionsv1.JSON{Raw: []byte(`"celsius"`)}},
		"labels": {Type: "array", XListType: ptr.To("set"), Items: &extensionsv1.JSONSchemaPropsOrArray{
			Schema: &extensionsv1.JSONSchemaProps{Type: "string"},
		}},
	})
	spec.XValidations = extensionsv1.ValidationRules{
		{Rule: "self.unit == oldSelf.unit", Message: "the unit may not change"},
	}
	whole := properties(map[string]extensionsv1.JSONSchemaProps{
		"spec":   spec,
		"status": properties(map[string]extensionsv1.JSONSchemaProps{"shown": {Type: "integer"}}),
	})
	version := func(name string, isStored bool) extensionsv1.CustomResourceDefinitionVersion {
		return extensionsv1.CustomResourceDefinitionVersion{
			Name: name, Served: true, Storage: isStored,
			Schema: &extensionsv1.CustomResourceValidation{OpenAPIV3Schema: &whole},
			Subresources: &extensionsv1.CustomResourceSubresources{
				Status: &extensionsv1.CustomResourceSubresourceStatus{},
				Scale: &extensionsv1.CustomResourceSubresourceScale{
					SpecReplicasPath: ".spec.replicas", StatusReplicasPath: ".status.shown",
				},
			},
		}
	}
	return &extensionsv1.CustomResourceDefinition{
		ObjectMeta: named("gauges." + group),
		Spec: extensionsv1.CustomResourceDefinitionSpec{
			Group: group, Scope: extensionsv1.NamespaceScoped,
			Names: extensionsv1.CustomResourceDefinitionNames{
				Plural: "gauges", Singular: "gauge", Kind: "Gauge", ListKind: "GaugeList",
			},
			Versions: []extensionsv1.CustomResourceDefinitionVersion{
				version("v1", true), version("v1beta1", false),
			},
		},
	}
}
