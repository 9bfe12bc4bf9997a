package main

import (
	"context"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	appsapply "k8s.io/client-go/applyconfigurations/apps/v1"
	scaleapply "k8s.io/client-go/applyconfigurations/autoscaling/v1"
	coreapply "k8s.io/client-go/applyconfigurations/core/v1"
	metaapply "k8s.io/client-go/applyconfigurations/meta/v1"
)

// Apply says what fields should be, and who owns them: with others who own some, and who let go.
func apply(ctx context.Context, r *room) error {
	maps := r.client.CoreV1().ConfigMaps(r.namespace)
	wanted := func(data map[string]string) *coreapply.ConfigMapApplyConfiguration {
		return coreapply.ConfigMap("shared", r.namespace).WithData(data)
	}
	one := metav1.ApplyOptions{FieldManager: "one"}
	two := metav1.ApplyOptions{FieldManager: "two"}
	r.see("first")(maps.Apply(ctx, wanted(map[string]string{"a": "1", "b": "1"}), one))
	r.see("second")(maps.Apply(ctx, wanted(map[string]string{"b": "1", "c": "2"}), two))
	_, err := maps.Apply(ctx, wanted(map[string]string{"a": "2", "b": "2"}), two)
	r.say("conflict", told(err))
	forced := two
	forced.Force = true
	r.see("forced")(maps.Apply(ctx, wanted(map[string]string{"a": "2", "b": "2"}), forced))
	r.see("let-go")(maps.Apply(ctx, wanted(map[string]string{}), one))
	_, err = maps.Patch(ctx, "shared", types.MergePatchType, []byte(`{"data":{"b":"3"}}`), patched)
	if err != nil {
		return err
	}
	_, err = maps.Apply(ctx, wanted(map[string]string{"a": "2", "b": "2"}), two)
	r.say("conflict-with-patch", told(err))
	rehearsed := forced
	rehearsed.DryRun = []string{metav1.DryRunAll}
	r.see("rehearsed")(maps.Apply(ctx, wanted(map[string]string{"z": "9"}), rehearsed))
	shared, err := maps.Get(ctx, "shared", metav1.GetOptions{})
	if err != nil {
		return err
	}
	// What an operator owns it can take out, change and apply again.
	r.see("extracted")(coreapply.ExtractConfigMap(shared, "two"))
	unnamed := metav1.ApplyOptions{}
	_, err = maps.Apply(ctx, wanted(map[string]string{"a": "2"}), unnamed)
	r.say("nobody", told(err))
	_, err = maps.Apply(ctx, wanted(map[string]string{"a": "2"}).WithUID("other"), forced)
	r.say("other-uid", told(err))
	if err := applyDeployment(ctx, r); err != nil {
		return err
	}
	return applyUntyped(ctx, r)
}

func applyDeployment(ctx context.Context, r *room) error {
	deployments := r.client.AppsV1().Deployments(r.namespace)
	app := map[string]string{"app": "web"}
	container := coreapply.Container().WithName("main").WithImage("example.com/app:1").
		WithPorts(coreapply.ContainerPort().WithContainerPort(80))
	pod := func(containers ...*coreapply.ContainerApplyConfiguration) *appsapply.DeploymentApplyConfiguration {
		return appsapply.Deployment("web", r.namespace).WithSpec(appsapply.DeploymentSpec().
			WithSelector(metaapply.LabelSelector().WithMatchLabels(app)).
			WithTemplate(coreapply.PodTemplateSpec().WithLabels(app).
				WithSpec(coreapply.PodSpec().WithContainers(containers...))))
	}
	owner := metav1.ApplyOptions{FieldManager: "owner"}
	side := metav1.ApplyOptions{FieldManager: "side"}
	r.see("deployment")(deployments.Apply(ctx, pod(container), owner))
	added := appsapply.Deployment("web", r.namespace).WithSpec(appsapply.DeploymentSpec().
		WithTemplate(coreapply.PodTemplateSpec().WithSpec(coreapply.PodSpec().
			WithContainers(coreapply.Container().WithName("side").WithImage("example.com/side:1")))))
	r.see("deployment-side")(deployments.Apply(ctx, added, side))
	status := appsapply.Deployment("web", r.namespace).WithStatus(appsapply.DeploymentStatus().
		WithReplicas(1).WithConditions(appsapply.DeploymentCondition().
		WithType(appsv1.DeploymentAvailable).WithStatus(corev1.ConditionTrue).WithReason("Enough")))
	r.see("deployment-status")(deployments.ApplyStatus(ctx, status, owner))
	scaled := scaleapply.Scale().WithSpec(scaleapply.ScaleSpec().WithReplicas(4))
	r.see("deployment-scale")(deployments.ApplyScale(ctx, "web", scaled,
		metav1.ApplyOptions{FieldManager: "scaler"}))
	again := pod(container)
	again.Spec.WithReplicas(2)
	_, err := deployments.Apply(ctx, again, owner)
	r.say("deployment-scale-conflict", told(err))
	web, err := deployments.Get(ctx, "web", metav1.GetOptions{})
	if err != nil {
		return err
	}
	r.see("deployment-extracted")(appsapply.ExtractDeployment(web, "owner"))
	r.see("deployment-status-extracted")(appsapply.ExtractDeploymentStatus(web, "owner"))
	return nil
}

func applyUntyped(ctx context.Context, r *room) error {
	maps := r.dynamic.Resource(corev1.SchemeGroupVersion.WithResource("configmaps")).
		Namespace(r.namespace)
	wanted := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap",
		"metadata": map[string]any{"name": "untyped"},
		"data":     map[string]any{"a": "1"},
	}}
	r.see("untyped")(maps.Apply(ctx, "untyped", wanted, metav1.ApplyOptions{FieldManager: "one"}))
	wanted.Object["nothing"] = "like that"
	_, err := maps.Apply(ctx, "untyped", wanted, metav1.ApplyOptions{FieldManager: "one"})
	r.say("unknown-field", told(err))
	return nil
}
