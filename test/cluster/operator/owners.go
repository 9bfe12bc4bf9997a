package main

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

// Owners are named by what is theirs, and what has a finalizer stays until somebody takes it off.
func owners(ctx context.Context, r *room) error {
	maps := r.client.CoreV1().ConfigMaps(r.namespace)
	held := configMap("held", "1")
	held.Finalizers = []string{"example.com/hold"}
	held, err := maps.Create(ctx, held, created)
	if err != nil {
		return err
	}
	r.say("held-delete", told(maps.Delete(ctx, "held", metav1.DeleteOptions{})))
	held, err = maps.Get(ctx, "held", metav1.GetOptions{})
	r.see("held")(held, err)
	if err != nil {
		return err
	}
	more := held.DeepCopy()
	more.Finalizers = append(more.Finalizers, "example.com/late")
	_, err = maps.Update(ctx, more, updated)
	r.say("held-by-more", told(err))
	held.Finalizers = nil
	held.Data["value"] = "last"
	r.see("let-go")(maps.Update(ctx, held, updated))
	_, err = maps.Get(ctx, "held", metav1.GetOptions{})
	r.say("gone", apierrors.IsNotFound(err))
	unqualified := configMap("unqualified", "1")
	unqualified.Finalizers = []string{"unqualified"}
	r.see("unqualified")(maps.Create(ctx, unqualified, created))
	return owned(ctx, r)
}

func owned(ctx context.Context, r *room) error {
	maps := r.client.CoreV1().ConfigMaps(r.namespace)
	owner, err := maps.Create(ctx, configMap("owner", "1"), created)
	if err != nil {
		return err
	}
	reference := metav1.OwnerReference{
		APIVersion: "v1", Kind: "ConfigMap", Name: owner.Name, UID: owner.UID,
		Controller: ptr.To(true), BlockOwnerDeletion: ptr.To(true),
	}
	mine := configMap("mine", "1")
	mine.OwnerReferences = []metav1.OwnerReference{reference}
	r.see("mine")(maps.Create(ctx, mine, created))
	twice := configMap("twice", "1")
	second := reference
	second.UID = "11111111-1111-1111-1111-111111111111"
	twice.OwnerReferences = []metav1.OwnerReference{reference, second}
	_, err = maps.Create(ctx, twice, created)
	r.say("two-controllers", told(err))
	broken := configMap("broken", "1")
	broken.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap"}}
	_, err = maps.Create(ctx, broken, created)
	r.say("nameless-owner", told(err))
	for _, policy := range []metav1.DeletionPropagation{
		metav1.DeletePropagationForeground, metav1.DeletePropagationOrphan,
	} {
		name := "owner-" + string(policy[0]+'a'-'A')
		if _, err := maps.Create(ctx, configMap(name, "1"), created); err != nil {
			return err
		}
		// Something else keeps it, so that it can be looked at whoever collects.
		kept := []byte(`{"metadata":{"finalizers":["example.com/hold"]}}`)
		if _, err := maps.Patch(ctx, name, "application/merge-patch+json", kept, patched); err != nil {
			return err
		}
		r.say(string(policy), told(maps.Delete(ctx, name, metav1.DeleteOptions{PropagationPolicy: &policy})))
		found, err := maps.Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		r.say(string(policy)+"-leaves", map[string]any{
			"finalizers": found.Finalizers, "isGoing": found.DeletionTimestamp != nil,
			"grace": found.DeletionGracePeriodSeconds,
		})
	}
	unknown := metav1.DeletionPropagation("Sideways")
	r.say("no-such-policy",
		told(maps.Delete(ctx, "owner", metav1.DeleteOptions{PropagationPolicy: &unknown})))
	return nil
}
