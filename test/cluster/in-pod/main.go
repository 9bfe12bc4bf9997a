// Command in-pod is a client that knows nothing but what Kubernetes gives to every pod. It writes down
// who it is in the config map NAME, follows the config maps of its namespace with an informer, and
// once there is one called "go", writes NAME-again.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
)

const namespaceFile = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"

func main() {
	if err := live(context.Background(), os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func live(ctx context.Context, name string) error {
	config, err := rest.InClusterConfig()
	if err != nil {
		return err
	}
	namespace, err := os.ReadFile(namespaceFile)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	if err := write(ctx, client, string(namespace), name, config.Host); err != nil {
		return err
	}
	told := make(chan struct{}, 1)
	factory := informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithNamespace(string(namespace)))
	_, err = factory.Core().V1().ConfigMaps().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(object any) {
			if object.(*corev1.ConfigMap).Name != "go" {
				return
			}
			select {
			case told <- struct{}{}:
			default:
			}
		},
	})
	if err != nil {
		return err
	}
	factory.Start(ctx.Done())
	<-told
	if err := write(ctx, client, string(namespace), name+"-again", config.Host); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// write makes a config map that says who this client is, and where it asked.
func write(ctx context.Context, client kubernetes.Interface, namespace, name, host string) error {
	review, err := client.AuthenticationV1().SelfSubjectReviews().Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	user, err := json.Marshal(review.Status.UserInfo)
	if err != nil {
		return err
	}
	_, err = client.CoreV1().ConfigMaps(namespace).Create(ctx, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Data:       map[string]string{"user": string(user), "host": host, "web": os.Getenv("WEB_PORT")},
	}, metav1.CreateOptions{})
	return err
}
