package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	coreinformers "k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/metadata/metadatainformer"
	"k8s.io/client-go/tools/cache"
)

// Informers keep a copy of a collection: through edits, a connection that breaks, and a server that
// has forgotten what was new since.
func informers(ctx context.Context, r *room) error {
	if err := shared(ctx, r); err != nil {
		return err
	}
	return metadataInformer(ctx, r)
}

func shared(ctx context.Context, r *room) error {
	maps := r.client.CoreV1().ConfigMaps(r.namespace)
	for i := range 3 {
		given := configMap(fmt.Sprintf("map-%d", i), "old", "watched", "yes")
		if _, err := maps.Create(ctx, given, created); err != nil {
			return err
		}
	}
	config, seen := watched(r.config)
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	factory := coreinformers.NewSharedInformerFactoryWithOptions(client, 0,
		coreinformers.WithNamespace(r.namespace),
		coreinformers.WithTweakListOptions(func(options *metav1.ListOptions) {
			options.LabelSelector = "watched=yes"
		}))
	informer := factory.Core().V1().ConfigMaps()
	lister := informer.Lister().ConfigMaps(r.namespace)
	log := &calls{}
	registration, err := informer.Informer().AddEventHandler(log)
	if err != nil {
		return err
	}
	stop := make(chan struct{})
	factory.Start(stop)
	if !cache.WaitForCacheSync(ctx.Done(), registration.HasSynced) {
		return fmt.Errorf("informer: %w", ctx.Err())
	}
	r.say("synced", log.take())
	if err := edits(ctx, r, "live"); err != nil {
		return err
	}
	if err := until(ctx, "live", log.has("last-live")); err != nil {
		return err
	}
	r.say("live", log.take())
	r.say("requests", seen.all())
	seen.cut()
	if err := edits(ctx, r, "resumed"); err != nil {
		return err
	}
	if err := until(ctx, "resumed", log.has("last-resumed")); err != nil {
		return err
	}
	r.say("resumed", log.take())
	seen.isStale.Store(true)
	seen.cut()
	if err := until(ctx, "stale", func(context.Context) (bool, error) {
		return !seen.isStale.Load(), nil
	}); err != nil {
		return err
	}
	// Behind its back, as it has to read everything again now.
	if err := edits(ctx, r, "expired"); err != nil {
		return err
	}
	if err := until(ctx, "expired", log.has("last-expired")); err != nil {
		return err
	}
	found, err := lister.List(labels.Everything())
	if err != nil {
		return err
	}
	values := map[string]string{}
	for _, item := range found {
		values[item.Name] = item.Data["value"]
	}
	r.say("expired", values)
	r.say("all-requests", seen.all())
	close(stop)
	factory.Shutdown()
	return nil
}

// Edits adds, changes, hides and removes something; what comes last tells that all has arrived.
func edits(ctx context.Context, r *room, value string) error {
	maps := r.client.CoreV1().ConfigMaps(r.namespace)
	for _, name := range []string{"kept", "hidden", "removed"} {
		given := configMap(name+"-"+value, "first", "watched", "yes")
		if _, err := maps.Create(ctx, given, created); err != nil {
			return err
		}
	}
	for _, edit := range []struct{ name, patch string }{
		{"map-0", `{"data":{"value":"` + value + `"}}`},
		{"hidden-" + value, `{"metadata":{"labels":{"watched":"no"}}}`},
	} {
		_, err := maps.Patch(ctx, edit.name, types.MergePatchType, []byte(edit.patch), patched)
		if err != nil {
			return err
		}
	}
	if err := maps.Delete(ctx, "removed-"+value, metav1.DeleteOptions{}); err != nil {
		return err
	}
	_, err := maps.Create(ctx, configMap("last-"+value, value, "watched", "yes"), created)
	return err
}

// Calls are those of an informer, as a set by name: two edits of different objects have no order.
type calls struct {
	mutex sync.Mutex
	of    map[string][]string
}

func (log *calls) add(what string, object any) {
	if left, isLeft := object.(cache.DeletedFinalStateUnknown); isLeft {
		object = left.Obj
	}
	found, err := meta.Accessor(object)
	if err != nil {
		panic(err)
	}
	log.mutex.Lock()
	defer log.mutex.Unlock()
	if log.of == nil {
		log.of = map[string][]string{}
	}
	if given, isMap := object.(*corev1.ConfigMap); isMap {
		what += " " + given.Data["value"]
	}
	log.of[found.GetName()] = append(log.of[found.GetName()], what)
}

func (log *calls) OnAdd(object any, isInitial bool) {
	if isInitial {
		log.add("initial", object)
		return
	}
	log.add("add", object)
}

func (log *calls) OnUpdate(_ any, object any) { log.add("update", object) }
func (log *calls) OnDelete(object any)        { log.add("delete", object) }

// Has waits for a call about something; what was told before it is here as well then.
func (log *calls) has(name string) func(context.Context) (bool, error) {
	return func(context.Context) (bool, error) {
		log.mutex.Lock()
		defer log.mutex.Unlock()
		return log.of[name] != nil, nil
	}
}

func (log *calls) take() map[string][]string {
	log.mutex.Lock()
	defer log.mutex.Unlock()
	out := log.of
	log.of = nil
	return out
}

func metadataInformer(ctx context.Context, r *room) error {
	config, seen := watched(r.config)
	client, err := metadata.NewForConfig(config)
	if err != nil {
		return err
	}
	factory := metadatainformer.NewFilteredSharedInformerFactory(client, 10*time.Minute, r.namespace, nil)
	informer := factory.ForResource(corev1.SchemeGroupVersion.WithResource("configmaps"))
	log := &calls{}
	registration, err := informer.Informer().AddEventHandler(log)
	if err != nil {
		return err
	}
	stop := make(chan struct{})
	factory.Start(stop)
	if !cache.WaitForCacheSync(ctx.Done(), registration.HasSynced) {
		return fmt.Errorf("metadata informer: %w", ctx.Err())
	}
	r.say("metadata-synced", log.take())
	if err := edits(ctx, r, "bare"); err != nil {
		return err
	}
	if err := until(ctx, "metadata", log.has("last-bare")); err != nil {
		return err
	}
	r.say("metadata-live", log.take())
	r.say("metadata-requests", seen.all())
	close(stop)
	factory.Shutdown()
	return nil
}
