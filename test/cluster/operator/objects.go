package main

import (
	"context"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/retry"
	"k8s.io/utils/ptr"
)

var created = metav1.CreateOptions{FieldManager: "operator"}
var updated = metav1.UpdateOptions{FieldManager: "operator"}
var patched = metav1.PatchOptions{FieldManager: "operator"}

// Objects are written by their types: made, edited at the same time by two, patched in every way.
func objects(ctx context.Context, r *room) error {
	if err := configMaps(ctx, r); err != nil {
		return err
	}
	deployments := r.client.AppsV1().Deployments(r.namespace)
	deployment, err := deployments.Create(ctx, deploymentNamed("web"), created)
	if err != nil {
		return err
	}
	r.say("deployment", deployment)
	if err := statusAfterConflict(ctx, r, deployment); err != nil {
		return err
	}
	strategic := `{"spec":{"template":{"spec":{"containers":[
		{"name":"side","image":"example.com/side:1"},{"name":"main","env":[{"name":"A","value":"1"}]}]}}}}`
	for _, patch := range []struct {
		step string
		kind types.PatchType
		body string
	}{
		{"json", types.JSONPatchType, `[{"op":"test","path":"/spec/replicas","value":2},
			{"op":"replace","path":"/spec/replicas","value":3}]`},
		{"json-test-fails", types.JSONPatchType, `[{"op":"test","path":"/spec/replicas","value":2}]`},
		{"json-no-such-path", types.JSONPatchType, `[{"op":"remove","path":"/spec/nothing"}]`},
		{"merge", types.MergePatchType, `{"metadata":{"labels":{"tier":"front","app":null}}}`},
		{"strategic", types.StrategicMergePatchType, strategic},
		{"strategic-delete", types.StrategicMergePatchType,
			`{"spec":{"template":{"spec":{"containers":[{"name":"side","$patch":"delete"}]}}}}`},
		{"wrong-type", types.MergePatchType, `{"spec":{"replicas":"many"}}`},
		{"invalid", types.MergePatchType, `{"spec":{"replicas":-1}}`},
		{"immutable", types.MergePatchType, `{"spec":{"selector":{"matchLabels":{"app":"other"}}}}`},
	} {
		r.see("patch-" + patch.step)(
			deployments.Patch(ctx, "web", patch.kind, []byte(patch.body), patched))
	}
	rehearsed := patched
	rehearsed.DryRun = []string{metav1.DryRunAll}
	r.see("patch-dry-run")(deployments.Patch(ctx, "web", types.MergePatchType,
		[]byte(`{"spec":{"paused":true}}`), rehearsed))
	scale, err := deployments.GetScale(ctx, "web", metav1.GetOptions{})
	r.see("scale")(scale, err)
	if err != nil {
		return err
	}
	scale.Spec.Replicas = 5
	r.see("scale-to-5")(deployments.UpdateScale(ctx, "web", scale, updated))
	r.see("deployment-at-last")(deployments.Get(ctx, "web", metav1.GetOptions{}))
	return nil
}

func configMaps(ctx context.Context, r *room) error {
	maps := r.client.CoreV1().ConfigMaps(r.namespace)
	one, err := maps.Create(ctx, configMap("one", "1"), created)
	r.see("create")(one, err)
	if err != nil {
		return err
	}
	_, err = maps.Create(ctx, configMap("one", "1"), created)
	r.say("create-again", told(err))
	_, err = maps.Create(ctx, configMap("Not_A_Name", "1"), created)
	r.say("create-invalid", told(err))
	r.see("create-generated")(maps.Create(ctx,
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{GenerateName: "some-"}}, created))
	r.see("create-nowhere")(r.client.CoreV1().ConfigMaps(r.run+"-nowhere").Create(ctx,
		configMap("one", "1"), created))
	_, err = maps.Get(ctx, "none", metav1.GetOptions{})
	r.say("get-none", told(err))
	stale := one.DeepCopy()
	one.Data["value"] = "2"
	one, err = maps.Update(ctx, one, updated)
	r.see("update")(one, err)
	if err != nil {
		return err
	}
	same, err := maps.Update(ctx, one, updated)
	r.say("update-nothing", err == nil && same.ResourceVersion == one.ResourceVersion)
	stale.Data["value"] = "3"
	_, err = maps.Update(ctx, stale, updated)
	r.say("update-stale", told(err))
	other := types.UID("00000000-0000-0000-0000-000000000000")
	for step, conditions := range map[string]*metav1.Preconditions{
		"uid":     {UID: &other},
		"version": {ResourceVersion: &stale.ResourceVersion},
	} {
		err := maps.Delete(ctx, "one", metav1.DeleteOptions{Preconditions: conditions})
		r.say("delete-other-"+step, apierrors.IsConflict(err))
	}
	conditions := &metav1.Preconditions{UID: &one.UID, ResourceVersion: &one.ResourceVersion}
	r.say("delete", told(maps.Delete(ctx, "one", metav1.DeleteOptions{Preconditions: conditions})))
	r.say("delete-again", told(maps.Delete(ctx, "one", metav1.DeleteOptions{})))
	return nil
}

// StatusAfterConflict writes a status from an object that somebody else has edited since.
func statusAfterConflict(ctx context.Context, r *room, stale *appsv1.Deployment) error {
	deployments := r.client.AppsV1().Deployments(r.namespace)
	_, err := deployments.Patch(ctx, "web", types.MergePatchType,
		[]byte(`{"metadata":{"annotations":{"by":"another"}}}`), metav1.PatchOptions{})
	if err != nil {
		return err
	}
	tries := []any{}
	next := stale
	err = retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		next.Status.ObservedGeneration = next.Generation
		next.Status.Replicas = 2
		// A write of the status leaves the rest as it is.
		next.Spec.Replicas = ptr.To[int32](9)
		written, err := deployments.UpdateStatus(ctx, next, updated)
		tries = append(tries, told(err))
		if err == nil {
			r.say("status", written)
			return nil
		}
		found, findErr := deployments.Get(ctx, "web", metav1.GetOptions{})
		if findErr != nil {
			return findErr
		}
		next = found
		return err
	})
	r.say("status-tries", tries)
	return err
}

func deploymentNamed(name string) *appsv1.Deployment {
	labels := map[string]string{"app": name}
	return &appsv1.Deployment{
		ObjectMeta: named(name, "app", name),
		Spec: appsv1.DeploymentSpec{
			Replicas: ptr.To[int32](2),
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       podSpec(),
			},
		},
	}
}
