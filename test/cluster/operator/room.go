package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// A room is one topic: a namespace, the clients to look at it with, and where to tell what was seen.
type room struct {
	name      string
	run       string
	namespace string
	config    *rest.Config
	client    kubernetes.Interface
	// Without types; it speaks JSON whatever the others do.
	dynamic dynamic.Interface
	out     *lines
}

func enter(
	ctx context.Context,
	config *rest.Config,
	run string,
	name string,
	out *lines,
	use func(context.Context, *room) error,
) error {
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	untyped, err := dynamic.NewForConfig(config)
	if err != nil {
		return err
	}
	r := &room{
		name: name, run: run, namespace: run + "-" + name,
		config: rest.CopyConfig(config), client: client, dynamic: untyped, out: out,
	}
	space := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: r.namespace}}
	if _, err := client.CoreV1().Namespaces().Create(ctx, space, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("namespace: %w", err)
	}
	return use(ctx, r)
}

// Say prints what a step saw.
func (r *room) say(step string, saw any) {
	if err := r.out.write(r.name+"/"+step, saw); err != nil {
		panic(err)
	}
}

// See takes what a call returned, and prints the answer or the error.
func (r *room) see(step string) func(any, error) {
	return func(value any, err error) {
		if err != nil {
			r.say(step, told(err))
			return
		}
		r.say(step, value)
	}
}

// Told is what a client learns from an error.
func told(err error) any {
	if err == nil {
		return "ok"
	}
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return map[string]any{"error": err.Error()}
	}
	answer := status.Status()
	return map[string]any{
		"code": answer.Code, "reason": answer.Reason, "message": answer.Message,
		"details": answer.Details,
	}
}

// Until waits for something that the server or a controller does by and by.
func until(ctx context.Context, what string, isSo func(context.Context) (bool, error)) error {
	err := wait.PollUntilContextCancel(ctx, 50*time.Millisecond, true, isSo)
	if err != nil {
		return fmt.Errorf("until %s: %w", what, err)
	}
	return nil
}

func named(name string, labels ...string) metav1.ObjectMeta {
	meta := metav1.ObjectMeta{Name: name}
	for i := 0; i+1 < len(labels); i += 2 {
		if meta.Labels == nil {
			meta.Labels = map[string]string{}
		}
		meta.Labels[labels[i]] = labels[i+1]
	}
	return meta
}

func configMap(name string, value string, labels ...string) *corev1.ConfigMap {
	return &corev1.ConfigMap{
		ObjectMeta: named(name, labels...),
		Data:       map[string]string{"value": value},
	}
}

func podSpec() corev1.PodSpec {
	return corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "example.com/app:1"}}}
}
