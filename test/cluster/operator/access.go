package main

import (
	"context"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
)

// Access asks who it is and what it may, as itself, with a token of an account, and as somebody else.
func access(ctx context.Context, r *room) error {
	r.say("may-i", mayI(ctx, r.client, "delete", r.namespace))
	account := &corev1.ServiceAccount{ObjectMeta: named("worker")}
	accounts := r.client.CoreV1().ServiceAccounts(r.namespace)
	if _, err := accounts.Create(ctx, account, created); err != nil {
		return err
	}
	if err := grant(ctx, r); err != nil {
		return err
	}
	asked := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{
		ExpirationSeconds: ptr.To[int64](3600),
	}}
	issued, err := accounts.CreateToken(ctx, "worker", asked, created)
	if err != nil {
		return err
	}
	token := issued.Status.Token
	r.say("token", map[string]any{
		"some": token != "", "seconds": issued.Spec.ExpirationSeconds, "name": issued.Name,
		"namespace": issued.Namespace, "bound": issued.Spec.BoundObjectRef,
	})
	short := asked.DeepCopy()
	short.Spec.ExpirationSeconds = ptr.To[int64](60)
	_, err = accounts.CreateToken(ctx, "worker", short, created)
	r.say("token-too-short", told(err))
	_, err = accounts.CreateToken(ctx, "nobody", asked, created)
	r.say("token-of-nobody", told(err))
	review := &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: token}}
	reviewed, err := r.client.AuthenticationV1().TokenReviews().Create(ctx, review, created)
	if err != nil {
		return err
	}
	r.say("token-review", map[string]any{
		"authenticated": reviewed.Status.Authenticated, "error": reviewed.Status.Error,
		"name": reviewed.Status.User.Username, "groups": reviewed.Status.User.Groups,
		"audiences": len(reviewed.Status.Audiences),
	})
	config := rest.AnonymousClientConfig(r.config)
	config.BearerToken = token
	if err := asWorker(ctx, r, config, "worker"); err != nil {
		return err
	}
	impersonating := rest.CopyConfig(r.config)
	impersonating.Impersonate = rest.ImpersonationConfig{
		UserName: "system:serviceaccount:" + r.namespace + ":worker",
	}
	if err := asWorker(ctx, r, impersonating, "impersonated"); err != nil {
		return err
	}
	broken := rest.AnonymousClientConfig(r.config)
	broken.BearerToken = token + "x"
	stranger, err := kubernetes.NewForConfig(broken)
	if err != nil {
		return err
	}
	_, err = stranger.CoreV1().ConfigMaps(r.namespace).List(ctx, metav1.ListOptions{})
	r.say("broken-token", told(err))
	return nil
}

func grant(ctx context.Context, r *room) error {
	role := &rbacv1.Role{ObjectMeta: named("reader"), Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"get", "list"}},
		{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"get"},
			ResourceNames: []string{"one"}},
	}}
	binding := &rbacv1.RoleBinding{
		ObjectMeta: named("reads"),
		Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Name: "worker", Namespace: r.namespace}},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "reader"},
	}
	if _, err := r.client.RbacV1().Roles(r.namespace).Create(ctx, role, created); err != nil {
		return err
	}
	r.see("binding")(r.client.RbacV1().RoleBindings(r.namespace).Create(ctx, binding, created))
	return nil
}

func asWorker(ctx context.Context, r *room, config *rest.Config, who string) error {
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	maps := client.CoreV1().ConfigMaps(r.namespace)
	// Roles count a moment after they were written.
	if err := until(ctx, who+" may list", func(ctx context.Context) (bool, error) {
		_, err := maps.List(ctx, metav1.ListOptions{})
		return err == nil, nil
	}); err != nil {
		return err
	}
	mine, err := client.AuthenticationV1().SelfSubjectReviews().Create(ctx,
		&authenticationv1.SelfSubjectReview{}, created)
	if err != nil {
		return err
	}
	r.say(who+"-is", map[string]any{
		"name": mine.Status.UserInfo.Username, "groups": mine.Status.UserInfo.Groups,
	})
	r.say(who+"-may-i", []any{
		mayI(ctx, client, "list", r.namespace), mayI(ctx, client, "delete", r.namespace),
		mayI(ctx, client, "list", ""),
	})
	rules, err := client.AuthorizationV1().SelfSubjectRulesReviews().Create(ctx,
		&authorizationv1.SelfSubjectRulesReview{
			Spec: authorizationv1.SelfSubjectRulesReviewSpec{Namespace: r.namespace},
		}, created)
	if err != nil {
		return err
	}
	own := []authorizationv1.ResourceRule{}
	for _, rule := range rules.Status.ResourceRules {
		if len(rule.APIGroups) == 1 && rule.APIGroups[0] == "" {
			own = append(own, rule)
		}
	}
	r.say(who+"-rules", own)
	_, err = maps.Create(ctx, configMap("one", "1"), created)
	r.say(who+"-create", told(err))
	_, err = client.CoreV1().Secrets(r.namespace).Get(ctx, "two", metav1.GetOptions{})
	r.say(who+"-secret", told(err))
	_, err = client.CoreV1().Secrets(r.namespace).Get(ctx, "one", metav1.GetOptions{})
	r.say(who+"-named-secret", told(err))
	_, err = client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	r.say(who+"-nodes", told(err))
	_, err = client.CoreV1().ConfigMaps(r.namespace).Watch(ctx, metav1.ListOptions{})
	r.say(who+"-watch", told(err))
	return nil
}

func mayI(ctx context.Context, client kubernetes.Interface, verb string, namespace string) any {
	asked := &authorizationv1.SelfSubjectAccessReview{
		Spec: authorizationv1.SelfSubjectAccessReviewSpec{
			ResourceAttributes: &authorizationv1.ResourceAttributes{
				Namespace: namespace, Verb: verb, Resource: "configmaps",
			},
		},
	}
	answer, err := client.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, asked, created)
	if err != nil {
		return told(err)
	}
	return answer.Status
}
