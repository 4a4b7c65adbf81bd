package kubernetes

import (
	"errors"
	"fmt"
	"net/http"
	"os"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

const protobuf = "application/vnd.kubernetes.protobuf"

// How often the API may be asked: streams begin four times, owners are asked for one by one.
const (
	askRate  = 5 // a second
	askBurst = 20
)

// InCluster tells whether this process is a pod's that has been told of the API.
func InCluster() bool {
	if os.Getenv("KUBERNETES_SERVICE_HOST") == "" || os.Getenv("KUBERNETES_SERVICE_PORT") == "" {
		return false
	}
	_, err := os.Stat("/var/run/secrets/kubernetes.io/serviceaccount/token")
	return err == nil
}

// config finds the API as kubectl does.
func config(o *Options) (*rest.Config, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = o.Kubeconfig
	rules.WarnIfAllMissing = false
	overrides := &clientcmd.ConfigOverrides{CurrentContext: o.Context}
	c, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, overrides).ClientConfig()
	if clientcmd.IsEmptyConfig(err) {
		return nil, fmt.Errorf("kubernetes: %w", errNoAPI)
	}
	if err != nil {
		return nil, fmt.Errorf("kubernetes: kubeconfig: %w", err)
	}
	c.UserAgent = o.Program
	c.QPS, c.Burst = askRate, askBurst
	c.WarningHandler = rest.NoWarnings{} // those are for people who write manifests
	return c, nil
}

var errNoAPI = errors.New("no API is known: name a kubeconfig file (--kubeconfig, KUBECONFIG), or run in a pod with a service account")

// clients return those for the two groups of the API that are used.
func clients(c *rest.Config) (core, discovery rest.Interface, err error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, discoveryv1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, nil, err
		}
	}
	metav1.AddToGroupVersion(scheme, schema.GroupVersion{Version: "v1"})
	c.Wrap(func(next http.RoundTripper) http.RoundTripper { return hearing{next} })
	h, err := rest.HTTPClientFor(c)
	if err != nil {
		return nil, nil, err
	}
	client := func(path string, group schema.GroupVersion) (rest.Interface, error) {
		x := rest.CopyConfig(c)
		x.APIPath, x.GroupVersion = path, &group
		x.ContentType, x.AcceptContentTypes = protobuf, protobuf+","+runtime.ContentTypeJSON
		x.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
		return rest.RESTClientForConfigAndClient(x, h)
	}
	if core, err = client("/api", corev1.SchemeGroupVersion); err != nil {
		return nil, nil, err
	}
	discovery, err = client("/apis", discoveryv1.SchemeGroupVersion)
	return core, discovery, err
}
