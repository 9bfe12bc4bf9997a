package main

import (
	"context"
	"fmt"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"
	"k8s.io/utils/ptr"
)

// How long a watch that is left alone goes on, in seconds.
const watchSeconds = 4

// Watches are opened by hand: from now, from then, with a selector, with what is there already.
func watches(ctx context.Context, r *room) error {
	maps := r.client.CoreV1().ConfigMaps(r.namespace)
	before, err := maps.List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	since := before.ResourceVersion
	if err := edits(ctx, r.withMap(ctx), "seen"); err != nil {
		return err
	}
	events, err := collect(ctx, r, metav1.ListOptions{ResourceVersion: since}, 8)
	if err != nil {
		return err
	}
	r.say("from-then", texts(events))
	middle := version(events[3])
	later, err := collect(ctx, r, metav1.ListOptions{ResourceVersion: middle}, 4)
	r.see("resumed")(texts(later), err)
	selected, err := collect(ctx, r,
		metav1.ListOptions{ResourceVersion: since, LabelSelector: "watched=yes"}, 7)
	r.see("selected")(texts(selected), err)
	one, err := collect(ctx, r,
		metav1.ListOptions{ResourceVersion: since, FieldSelector: "metadata.name=removed-seen"}, 2)
	r.see("one")(texts(one), err)
	initial, err := collect(ctx, r, metav1.ListOptions{
		SendInitialEvents: ptr.To(true), AllowWatchBookmarks: true,
		ResourceVersionMatch: metav1.ResourceVersionMatchNotOlderThan,
	}, 5)
	r.see("initial")(texts(initial), err)
	_, err = maps.Watch(ctx, metav1.ListOptions{SendInitialEvents: ptr.To(true)})
	r.say("initial-without-match", told(err))
	_, err = maps.Watch(ctx, metav1.ListOptions{ResourceVersion: "yesterday"})
	r.say("no-version", told(err))
	expired, err := collect(ctx, r, metav1.ListOptions{ResourceVersion: "1"}, 1)
	if err == nil {
		err = apierrors.FromObject(expired[0].Object)
	}
	r.say("expired", map[string]any{
		"isExpired": apierrors.IsResourceExpired(err) || apierrors.IsGone(err),
		"reason":    apierrors.ReasonForError(err),
	})
	return slow(ctx, r, version(events[7]))
}

// WithMap makes what edits changes.
func (r *room) withMap(ctx context.Context) *room {
	given := configMap("map-0", "old", "watched", "yes")
	if _, err := r.client.CoreV1().ConfigMaps(r.namespace).Create(ctx, given, created); err != nil {
		panic(err)
	}
	return r
}

// Slow is what a server takes its time for.
func slow(ctx context.Context, r *room, last string) error {
	var all sync.WaitGroup
	all.Go(func() {
		// A client would ask ten times.
		err := r.client.CoreV1().RESTClient().Get().Namespace(r.namespace).Resource("configmaps").
			VersionedParams(&metav1.ListOptions{
				ResourceVersion:      "9000000000000000",
				ResourceVersionMatch: metav1.ResourceVersionMatchNotOlderThan,
			}, scheme.ParameterCodec).MaxRetries(0).Do(ctx).Error()
		r.say("list-of-tomorrow", apierrors.HasStatusCause(err, metav1.CauseTypeResourceVersionTooLarge))
	})
	all.Go(func() {
		events, err := collect(ctx, r, metav1.ListOptions{
			ResourceVersion: last, AllowWatchBookmarks: true,
			TimeoutSeconds: ptr.To[int64](watchSeconds),
		}, 1)
		r.see("bookmark-before-the-end")(texts(events), err)
	})
	all.Go(func() {
		_, err := collect(ctx, r, metav1.ListOptions{
			ResourceVersion: last, TimeoutSeconds: ptr.To[int64](1),
		}, 1)
		r.say("timeout", told(err))
	})
	all.Wait()
	return retried(ctx, r, last)
}

// Retried waits for something longer than one watch lasts.
func retried(ctx context.Context, r *room, last string) error {
	maps := r.client.CoreV1().ConfigMaps(r.namespace)
	opened := 0
	source := &cache.ListWatch{
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			opened++
			if opened == 2 {
				if _, err := maps.Create(ctx, configMap("awaited", "1"), created); err != nil {
					return nil, err
				}
			}
			options.TimeoutSeconds = ptr.To[int64](1)
			return maps.Watch(ctx, options)
		},
	}
	_, err := watchtools.Until(ctx, last, source, func(event watch.Event) (bool, error) {
		given, isMap := event.Object.(*corev1.ConfigMap)
		return isMap && event.Type == watch.Added && given.Name == "awaited", nil
	})
	r.say("retried", told(err))
	return nil
}

// Collect reads a number of events.
func collect(ctx context.Context, r *room, options metav1.ListOptions, count int) ([]watch.Event, error) {
	watching, err := r.client.CoreV1().ConfigMaps(r.namespace).Watch(ctx, options)
	if err != nil {
		return nil, err
	}
	defer watching.Stop()
	events := []watch.Event{}
	for len(events) < count {
		event, isOpen := <-watching.ResultChan()
		if !isOpen {
			return events, fmt.Errorf("the watch ended after %d events", len(events))
		}
		events = append(events, event)
	}
	return events, nil
}

func version(event watch.Event) string {
	return event.Object.(*corev1.ConfigMap).ResourceVersion
}

// Texts are events in short.
func texts(events []watch.Event) []string {
	out := []string{}
	for _, event := range events {
		out = append(out, text(event.Type, event.Object))
	}
	return out
}

func text(kind watch.EventType, object runtime.Object) string {
	given, isMap := object.(*corev1.ConfigMap)
	if !isMap {
		return fmt.Sprintf("%s %T", kind, object)
	}
	if kind == watch.Bookmark {
		return fmt.Sprintf("%s %v version=%t", kind, given.Annotations, given.ResourceVersion != "")
	}
	return fmt.Sprintf("%s %s %s %v", kind, given.Name, given.Data["value"], given.Labels)
}
