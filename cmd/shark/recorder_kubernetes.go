package main

import (
	"cmp"

	"github.com/spf13/pflag"

	"shark/recorder/parts"
	"shark/recorder/watch/kubernetes"
)

// kubernetesOptions say which Kubernetes API is asked, and which pods are recorded.
type kubernetesOptions struct {
	mode, kubeconfig, context string
	namespaces, excluded      []string
	pod, selector             string
	needed                    bool // another flag needs the API
}

func (o *kubernetesOptions) flags(f *pflag.FlagSet) {
	f.StringSliceVarP(&o.namespaces, "namespace", "n", nil, "record only pods of this Kubernetes namespace; may be given for several (default: all)")
	f.StringSliceVar(&o.excluded, "exclude-namespace", nil, "record no pods of this Kubernetes namespace; may be given for several")
	f.StringVar(&o.pod, "pod", "", "record only pods in whose name this regular expression is found (default: all)")
	f.StringVarP(&o.selector, "selector", "l", "", "record only pods with these labels, such as 'app=cart,tier!=db' (default: all)")
	f.StringVar(&o.mode, "kubernetes", "auto", "ask the Kubernetes API who has which address: on, off, or auto (in a pod, or if a flag needs it)")
	f.StringVar(&o.kubeconfig, "kubeconfig", "", "file that says where the Kubernetes API is (default: KUBECONFIG, ~/.kube/config, or what a pod is given)")
	f.StringVar(&o.context, "context", "", "context of the kubeconfig file")
}

// apply turns the options into what a recorder takes.
func (o *kubernetesOptions) apply(node string, c *parts.Capture) error {
	target, err := kubernetes.ParseTarget(o.namespaces, o.excluded, o.pod, o.selector)
	if err != nil {
		return usageError{err}
	}
	c.Pods = target
	needed := o.needed || cmp.Or(o.kubeconfig, o.context) != "" || !target.All()
	switch o.mode {
	case "auto":
		if !needed && !kubernetes.InCluster() {
			return nil
		}
	case "on":
	case "off":
		if needed {
			return usagef("--kubernetes off: --namespace, --exclude-namespace, --pod, --selector, --tls-namespace, --kubeconfig and --context need the API")
		}
		return nil
	default:
		return usagef("--kubernetes %q: it is auto, on or off", o.mode)
	}
	c.API = &kubernetes.Options{Node: node, Kubeconfig: o.kubeconfig, Context: o.context, Program: "shark-recorder/" + version}
	if _, err := kubernetes.Open(*c.API); err != nil {
		return err
	}
	return nil
}
