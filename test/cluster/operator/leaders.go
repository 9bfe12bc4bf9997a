package main

import (
	"context"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// Leaders are two who want the same lease: the second gets it as soon as the first one lets go.
func leaders(ctx context.Context, r *room) error {
	first, leave := context.WithCancel(ctx)
	defer leave()
	second, end := context.WithCancel(ctx)
	defer end()
	led := make(chan string, 4)
	gone := make(chan struct{})
	go func() {
		run(first, r, "first", led)
		close(gone)
	}()
	if err := next(ctx, r, led, "first"); err != nil {
		return err
	}
	done := make(chan struct{})
	go func() {
		run(second, r, "second", led)
		close(done)
	}()
	leave()
	<-gone
	if err := next(ctx, r, led, "second"); err != nil {
		return err
	}
	end()
	<-done
	lease, err := r.client.CoordinationV1().Leases(r.namespace).Get(ctx, "lead", metav1.GetOptions{})
	if err != nil {
		return err
	}
	r.say("released", map[string]any{
		"holder": lease.Spec.HolderIdentity, "transitions": lease.Spec.LeaseTransitions,
		"seconds": lease.Spec.LeaseDurationSeconds,
	})
	return nil
}

func next(ctx context.Context, r *room, led <-chan string, step string) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case who := <-led:
		lease, err := r.client.CoordinationV1().Leases(r.namespace).Get(ctx, "lead", metav1.GetOptions{})
		if err != nil {
			return err
		}
		r.say(step, map[string]any{
			"leads": who, "holder": lease.Spec.HolderIdentity, "seconds": lease.Spec.LeaseDurationSeconds,
			"transitions": lease.Spec.LeaseTransitions,
			// Microseconds are kept: a holder is told from its renewals.
			"renewed": lease.Spec.RenewTime != nil && !lease.Spec.RenewTime.IsZero(),
		})
		return nil
	}
}

func run(ctx context.Context, r *room, who string, led chan<- string) {
	leaderelection.RunOrDie(ctx, leaderelection.LeaderElectionConfig{
		Lock: &resourcelock.LeaseLock{
			LeaseMeta:  metav1.ObjectMeta{Name: "lead", Namespace: r.namespace},
			Client:     r.client.CoordinationV1(),
			LockConfig: resourcelock.ResourceLockConfig{Identity: who},
		},
		// Long, so that a busy machine does not take it away; it is let go, not waited for.
		LeaseDuration: 60 * time.Second,
		RenewDeadline: 40 * time.Second,
		RetryPeriod:   200 * time.Millisecond,
		Name:          "lead-" + who, ReleaseOnCancel: true,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(context.Context) { led <- who },
			OnStoppedLeading: func() {},
		},
	})
}
