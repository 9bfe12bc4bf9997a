package main

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/tools/record"
)

// RecordEvents tells of things in both ways that there are, some of them more than once.
func recordEvents(ctx context.Context, r *room) error {
	subject, err := r.client.CoreV1().ConfigMaps(r.namespace).Create(ctx, configMap("subject", "1"), created)
	if err != nil {
		return err
	}
	old := record.NewBroadcaster()
	old.StartRecordingToSink(&typedcorev1.EventSinkImpl{Interface: r.client.CoreV1().Events(r.namespace)})
	defer old.Shutdown()
	recorder := old.NewRecorder(scheme.Scheme, corev1.EventSource{Component: "operator", Host: "here"})
	for range 3 {
		recorder.Event(subject, corev1.EventTypeWarning, "Often", "it happened again")
	}
	recorder.AnnotatedEventf(subject, map[string]string{"a": "1"}, corev1.EventTypeNormal, "Once", "%d", 1)
	if err := untilEvents(ctx, r, map[string]int32{"Often": 3, "Once": 1}); err != nil {
		return err
	}
	broadcaster := events.NewBroadcaster(&events.EventSinkImpl{Interface: r.client.EventsV1()})
	if err := broadcaster.StartRecordingToSinkWithContext(ctx); err != nil {
		return err
	}
	defer broadcaster.Shutdown()
	newer := broadcaster.NewRecorder(scheme.Scheme, "example.com/operator")
	newer.Eventf(subject, subject, corev1.EventTypeNormal, "Seen", "Look", "it was %s", "there")
	if err := untilEvents(ctx, r, map[string]int32{"Seen": 0}); err != nil {
		return err
	}
	// What is told again becomes a series.
	newer.Eventf(subject, subject, corev1.EventTypeNormal, "Seen", "Look", "it was %s", "there")
	if err := until(ctx, "series", func(ctx context.Context) (bool, error) {
		list, err := r.client.EventsV1().Events(r.namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return false, err
		}
		for _, event := range list.Items {
			if event.Reason == "Seen" && event.Series != nil {
				return true, nil
			}
		}
		return false, nil
	}); err != nil {
		return err
	}
	return showEvents(ctx, r)
}

func untilEvents(ctx context.Context, r *room, counts map[string]int32) error {
	return until(ctx, "events", func(ctx context.Context) (bool, error) {
		list, err := r.client.CoreV1().Events(r.namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return false, err
		}
		found := 0
		for _, event := range list.Items {
			if count, isAwaited := counts[event.Reason]; isAwaited && event.Count == count {
				found++
			}
		}
		return found == len(counts), nil
	})
}

func showEvents(ctx context.Context, r *room) error {
	list, err := r.client.CoreV1().Events(r.namespace).List(ctx, metav1.ListOptions{
		FieldSelector: "involvedObject.kind=ConfigMap,involvedObject.name=subject",
	})
	if err != nil {
		return err
	}
	for _, event := range list.Items {
		event.Name = "<name>"
		event.ManagedFields = nil
		event.InvolvedObject.ResourceVersion = ""
		if event.Related != nil {
			event.Related.ResourceVersion = ""
		}
		event.ReportingInstance = "<host>"
		r.say("core-"+event.Reason, event)
	}
	newer, err := r.client.EventsV1().Events(r.namespace).List(ctx, metav1.ListOptions{
		FieldSelector: "regarding.name=subject",
	})
	r.say("selected-as-regarding", map[string]any{"items": len(newer.Items), "error": told(err)})
	all, err := r.client.EventsV1().Events(r.namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	for _, event := range all.Items {
		event.Name = "<name>"
		event.ManagedFields = nil
		event.ReportingInstance = "<host>"
		event.Regarding.ResourceVersion = ""
		if event.Related != nil {
			event.Related.ResourceVersion = ""
		}
		r.say("events-"+event.Reason, event)
	}
	wrong := &corev1.Event{
		ObjectMeta:     metav1.ObjectMeta{Name: "wrong", Namespace: r.namespace},
		InvolvedObject: corev1.ObjectReference{Kind: "ConfigMap", Namespace: "elsewhere", Name: "subject"},
		FirstTimestamp: metav1.NewTime(time.Unix(0, 0)),
	}
	_, err = r.client.CoreV1().Events(r.namespace).Create(ctx, wrong, created)
	r.say("elsewhere", told(err))
	return nil
}
