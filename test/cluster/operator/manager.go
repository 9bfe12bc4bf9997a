package main

import (
	"context"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

const holdsDeployment = "example.com/summary"

// Summaries keeps a config map beside each deployment that says how large it is.
type summaries struct{ client.Client }

func (s *summaries) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	var web appsv1.Deployment
	if err := s.Get(ctx, request.NamespacedName, &web); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	summary := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{
		Name: web.Name + "-summary", Namespace: web.Namespace,
	}}
	if !web.DeletionTimestamp.IsZero() {
		if err := client.IgnoreNotFound(s.Delete(ctx, summary)); err != nil {
			return ctrl.Result{}, err
		}
		if controllerutil.RemoveFinalizer(&web, holdsDeployment) {
			return ctrl.Result{}, client.IgnoreNotFound(s.Update(ctx, &web))
		}
		return ctrl.Result{}, nil
	}
	before := web.DeepCopy()
	if controllerutil.AddFinalizer(&web, holdsDeployment) {
		if err := s.Patch(ctx, &web, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})); err != nil {
			return ctrl.Result{}, again(err)
		}
	}
	_, err := controllerutil.CreateOrUpdate(ctx, s.Client, summary, func() error {
		summary.Labels = map[string]string{"of": web.Name}
		summary.Data = map[string]string{"replicas": strconv.Itoa(int(*web.Spec.Replicas))}
		return controllerutil.SetControllerReference(&web, summary, scheme.Scheme)
	})
	if err != nil {
		return ctrl.Result{}, again(err)
	}
	before = web.DeepCopy()
	web.Status.ObservedGeneration = web.Generation
	web.Status.Conditions = []appsv1.DeploymentCondition{
		{Type: "Summarized", Status: corev1.ConditionTrue, Reason: "Written"},
	}
	return ctrl.Result{}, again(s.Status().Patch(ctx, &web, client.StrategicMergeFrom(before)))
}

// Again drops an error that only says that the cache was not up to date: what is new there will come.
func again(err error) error {
	if apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) || apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// Reconcile runs a manager with a leader's lease, a cache and a reconciler, and works against it.
func reconcile(ctx context.Context, r *room) error {
	config, seen := watched(r.config)
	made, err := ctrl.NewManager(config, manager.Options{
		Scheme: scheme.Scheme, Metrics: server.Options{BindAddress: "0"},
		LeaderElection: true, LeaderElectionID: "summaries", LeaderElectionNamespace: r.namespace,
		LeaderElectionReleaseOnCancel: true,
		Cache:                         cache.Options{DefaultNamespaces: map[string]cache.Config{r.namespace: {}}},
	})
	if err != nil {
		return err
	}
	err = made.GetFieldIndexer().IndexField(ctx, &corev1.ConfigMap{}, "data.replicas",
		func(object client.Object) []string {
			return []string{object.(*corev1.ConfigMap).Data["replicas"]}
		})
	if err != nil {
		return err
	}
	err = ctrl.NewControllerManagedBy(made).For(&appsv1.Deployment{}).Owns(&corev1.ConfigMap{}).
		Complete(&summaries{made.GetClient()})
	if err != nil {
		return err
	}
	running, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- made.Start(running) }()
	if err := work(ctx, r, made.GetClient()); err != nil {
		return err
	}
	stop()
	if err := <-ended; err != nil {
		return err
	}
	r.say("watches", watchesOnly(seen.all()))
	lease, err := r.client.CoordinationV1().Leases(r.namespace).Get(ctx, "summaries", metav1.GetOptions{})
	if err != nil {
		return err
	}
	r.say("released", ptr.Deref(lease.Spec.HolderIdentity, "") == "")
	return nil
}

func watchesOnly(requests []string) []string {
	out := []string{}
	for _, line := range requests {
		if line[:5] == "WATCH" {
			out = append(out, line)
		}
	}
	return out
}

// Work edits what the manager looks after, through a client without a cache.
func work(ctx context.Context, r *room, cached client.Client) error {
	direct, err := client.New(r.config, client.Options{})
	if err != nil {
		return err
	}
	for _, name := range []string{"web", "api"} {
		given := deploymentNamed(name)
		given.Namespace = r.namespace
		if err := direct.Create(ctx, given); err != nil {
			return err
		}
	}
	key := client.ObjectKey{Namespace: r.namespace, Name: "web-summary"}
	var summary corev1.ConfigMap
	says := func(replicas string) func(context.Context) (bool, error) {
		return func(ctx context.Context) (bool, error) {
			err := direct.Get(ctx, key, &summary)
			return err == nil && summary.Data["replicas"] == replicas, client.IgnoreNotFound(err)
		}
	}
	if err := until(ctx, "summary", says("2")); err != nil {
		return err
	}
	r.say("summary", summary)
	if err := direct.Delete(ctx, &summary); err != nil {
		return err
	}
	if err := until(ctx, "summary again", says("2")); err != nil {
		return err
	}
	web := deploymentNamed("web")
	web.Namespace = r.namespace
	scaled := client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"replicas":5}}`))
	if err := direct.Patch(ctx, web, scaled); err != nil {
		return err
	}
	if err := until(ctx, "summary of 5", says("5")); err != nil {
		return err
	}
	var found corev1.ConfigMapList
	if err := until(ctx, "index", func(ctx context.Context) (bool, error) {
		err := cached.List(ctx, &found, client.InNamespace(r.namespace),
			client.MatchingFields{"data.replicas": "5"})
		return len(found.Items) == 1, err
	}); err != nil {
		return err
	}
	r.say("by-index", found.Items[0].Name)
	if err := until(ctx, "status", func(ctx context.Context) (bool, error) {
		err := direct.Get(ctx, client.ObjectKeyFromObject(web), web)
		return web.Status.ObservedGeneration == web.Generation, err
	}); err != nil {
		return err
	}
	web.ManagedFields = nil
	r.say("deployment", web)
	if err := direct.Delete(ctx, web); err != nil {
		return err
	}
	return until(ctx, "all of it gone", func(ctx context.Context) (bool, error) {
		err := direct.Get(ctx, client.ObjectKeyFromObject(web), web)
		noSummary := direct.Get(ctx, key, &summary)
		return apierrors.IsNotFound(err) && apierrors.IsNotFound(noSummary), nil
	})
}
