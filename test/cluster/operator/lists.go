package main

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/tools/pager"
)

// Lists are read in pages, by labels and by fields; what is selected is also deleted at once.
func lists(ctx context.Context, r *room) error {
	maps := r.client.CoreV1().ConfigMaps(r.namespace)
	for i := range 10 {
		parity := []string{"even", "odd"}[i%2]
		tier := []string{"front", "back", "side"}[i%3]
		given := configMap(fmt.Sprintf("map-%02d", i), fmt.Sprint(i), "of", "lists", "parity", parity)
		if i%4 != 0 {
			given.Labels["tier"] = tier
		}
		if _, err := maps.Create(ctx, given, created); err != nil {
			return err
		}
	}
	if err := pages(ctx, r); err != nil {
		return err
	}
	if err := byLabels(ctx, r); err != nil {
		return err
	}
	if err := byFields(ctx, r); err != nil {
		return err
	}
	if err := metadataOnly(ctx, r); err != nil {
		return err
	}
	odd := metav1.ListOptions{LabelSelector: "of=lists,parity=odd"}
	rehearsed := metav1.DeleteOptions{DryRun: []string{metav1.DryRunAll}}
	r.say("delete-odd-rehearsed", told(maps.DeleteCollection(ctx, rehearsed, odd)))
	r.see("after-rehearsal")(mapNames(maps.List(ctx, odd)))
	r.say("delete-odd", told(maps.DeleteCollection(ctx, metav1.DeleteOptions{}, odd)))
	r.see("left")(mapNames(maps.List(ctx, metav1.ListOptions{LabelSelector: "of=lists"})))
	return nil
}

func pages(ctx context.Context, r *room) error {
	maps := r.client.CoreV1().ConfigMaps(r.namespace)
	sizes := []any{}
	page := func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
		list, err := maps.List(ctx, options)
		if err == nil {
			sizes = append(sizes, map[string]any{
				"items": len(list.Items), "left": list.RemainingItemCount, "more": list.Continue != "",
			})
		}
		return list, err
	}
	paged := pager.New(page)
	paged.PageSize = 4
	names := []string{}
	err := paged.EachListItem(ctx, metav1.ListOptions{}, func(item runtime.Object) error {
		if of := item.(*corev1.ConfigMap); of.Labels["of"] != "" {
			names = append(names, of.Name)
		}
		return nil
	})
	r.say("paged", map[string]any{"names": names, "pages": sizes, "error": told(err)})
	_, err = maps.List(ctx, metav1.ListOptions{Limit: 2, Continue: "no-token"})
	r.say("bad-token", told(err))
	first, err := maps.List(ctx, metav1.ListOptions{Limit: 3, LabelSelector: "parity=even"})
	if err != nil {
		return err
	}
	r.say("selected-page", map[string]any{
		"items": len(first.Items), "left": first.RemainingItemCount, "more": first.Continue != "",
	})
	if err := maps.Delete(ctx, "map-08", metav1.DeleteOptions{}); err != nil {
		return err
	}
	next, err := maps.List(ctx, metav1.ListOptions{
		Limit: 3, LabelSelector: "parity=even", Continue: first.Continue,
	})
	// A list goes on as it was when its first page was read.
	r.see("next-page-of-then")(mapNames(next, err))
	_, err = maps.Create(ctx, configMap("map-08", "8", "of", "lists", "parity", "even"), created)
	return err
}

func byLabels(ctx context.Context, r *room) error {
	maps := r.client.CoreV1().ConfigMaps(r.namespace)
	for _, want := range []struct {
		step     string
		key      string
		operator selection.Operator
		values   []string
	}{
		{"equals", "parity", selection.Equals, []string{"odd"}},
		{"not-equals", "tier", selection.NotEquals, []string{"front"}},
		{"in", "tier", selection.In, []string{"front", "back"}},
		{"not-in", "tier", selection.NotIn, []string{"front", "back"}},
		{"exists", "tier", selection.Exists, nil},
		{"does-not-exist", "tier", selection.DoesNotExist, nil},
	} {
		requirement, err := labels.NewRequirement(want.key, want.operator, want.values)
		if err != nil {
			return err
		}
		of, err := labels.NewRequirement("of", selection.Equals, []string{"lists"})
		if err != nil {
			return err
		}
		selector := labels.NewSelector().Add(*of, *requirement).String()
		r.see("labels-" + want.step)(
			mapNames(maps.List(ctx, metav1.ListOptions{LabelSelector: selector})))
	}
	_, err := maps.List(ctx, metav1.ListOptions{LabelSelector: "a=b=c"})
	r.say("labels-unreadable", told(err))
	return nil
}

func byFields(ctx context.Context, r *room) error {
	maps := r.client.CoreV1().ConfigMaps(r.namespace)
	pods := r.client.CoreV1().Pods(r.namespace)
	for name, node := range map[string]string{"here": "node-1", "there": "node-2", "nowhere": ""} {
		spec := podSpec()
		spec.NodeName = node
		pod := &corev1.Pod{ObjectMeta: named(name), Spec: spec}
		if _, err := pods.Create(ctx, pod, created); err != nil {
			return err
		}
	}
	there, err := pods.Get(ctx, "there", metav1.GetOptions{})
	if err != nil {
		return err
	}
	there.Status.Phase = corev1.PodRunning
	if _, err := pods.UpdateStatus(ctx, there, updated); err != nil {
		return err
	}
	for step, selector := range map[string]string{
		"node":    fields.OneTermEqualSelector("spec.nodeName", "node-1").String(),
		"phase":   "status.phase=Pending",
		"not":     "status.phase!=Pending",
		"both":    "spec.nodeName=,metadata.name=nowhere",
		"unknown": "spec.priority=1",
	} {
		list, err := pods.List(ctx, metav1.ListOptions{FieldSelector: selector})
		names := []string{}
		if err == nil {
			for _, pod := range list.Items {
				names = append(names, pod.Name)
			}
		}
		r.see("fields-"+step)(names, err)
	}
	r.see("fields-name")(mapNames(maps.List(ctx, metav1.ListOptions{
		FieldSelector: fields.OneTermEqualSelector(metav1.ObjectNameField, "map-03").String(),
	})))
	return nil
}

// MetadataOnly reads objects without what is in them, as caches that need no more do.
func metadataOnly(ctx context.Context, r *room) error {
	client, err := metadata.NewForConfig(r.config)
	if err != nil {
		return err
	}
	maps := client.Resource(corev1.SchemeGroupVersion.WithResource("configmaps")).Namespace(r.namespace)
	r.see("metadata")(maps.Get(ctx, "map-01", metav1.GetOptions{}))
	list, err := maps.List(ctx, metav1.ListOptions{LabelSelector: "parity=even"})
	names := []string{}
	if err == nil {
		for _, item := range list.Items {
			names = append(names, item.Kind+" "+item.Name)
		}
	}
	r.see("metadata-list")(names, err)
	return nil
}

func mapNames(list *corev1.ConfigMapList, err error) ([]string, error) {
	names := []string{}
	if err == nil {
		for _, item := range list.Items {
			names = append(names, item.Name)
		}
	}
	return names, err
}
