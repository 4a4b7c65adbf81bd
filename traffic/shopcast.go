package traffic

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"shark/packet"
	"shark/snapshot/identity"
)

// cast is who takes part in the shop.
type cast struct {
	random  random
	records []identity.Record

	nodes                    [2]host // as clients of probes
	frontend, cart, orders   []*host
	catalog, checkout        *host
	payment, payment2, job   *host // the second has a new configuration
	redis, kafka, prometheus *host
	backup, bank, store      *host
	users                    []*host
	cartTo, catalogTo        *target // what clients connect to
	checkoutTo, ordersTo     *target
	dnsTo                    *target
	web                      []*host // pods that serve HTTP on 8080
}

// target is an address that is connected to, and its name.
type target struct {
	host *host
	port uint16
	name string // that is looked up before; empty for none
	site string // what it is called where it has no name; empty for its address
}

// called returns what a Host header calls the target.
func (t *target) called() string {
	switch {
	case t.name != "":
		return t.name
	case t.site != "":
		return t.site
	}
	return t.host.addr.String() + ":" + strconv.Itoa(int(t.port))
}

// app is a workload of the cast.
type app struct {
	namespace, name string
	kind            string // of the workload
	hash            string // of its ReplicaSet
	image           string
}

func at(d int64) time.Time { return time.Unix(0, shopStart+d).UTC() }

// before is when what was there at the beginning is stated.
const before = -5 * second

func newCast() *cast {
	c := &cast{random: newRandom(1, 'C')}
	for i, name := range []string{"node-a", "node-b"} {
		ip := []byte{192, 168, 10, byte(11 + i)}
		c.nodes[i] = host{name: name, node: uint32(i), addr: packet.AddrFrom4(ip), mac: mac(ip)}
		c.state(before, identity.Record{
			Kind: identity.Node, Name: name, Addresses: []string{c.nodes[i].addr.String()},
			Labels: map[string]string{"kubernetes.io/hostname": name, "topology.kubernetes.io/zone": "zone-" + name[5:]},
		})
	}
	c.shopPods()
	c.dataPods()
	c.services()
	c.rollout()
	for i := range 24 {
		c.users = append(c.users, outside([4]byte{198, 51, 100, byte(20 + 7*i)}, ""))
	}
	c.bank = outside([4]byte{192, 0, 2, 80}, bankName)
	c.store = outside([4]byte{192, 168, 10, 50}, "backups.internal:9000")
	return c
}

func outside(ip [4]byte, name string) *host {
	return &host{name: name, addr: packet.AddrFrom4(ip[:]), mac: mac(ip[:]), far: true}
}

func mac(ip []byte) [6]byte { return [6]byte{2, 0x42, ip[0], ip[1], ip[2], ip[3]} }

// state adds a record to the log.
func (c *cast) state(when int64, r identity.Record) {
	r.Time, r.Source = at(when), "kubernetes"
	if r.Op == "" {
		r.Op = identity.Upsert
	}
	if r.UID == "" {
		r.UID = c.uid()
	}
	c.records = append(c.records, r)
}

// uid returns a UUID of version 4.
func (c *cast) uid() string {
	a, b := c.random.next(), c.random.next()
	return fmt.Sprintf("%08x-%04x-4%03x-%04x-%012x", uint32(a>>32), uint16(a>>16), a&0xfff, 0x8000|b>>48&0x3fff, b&0xffffffffffff)
}

// pod adds a pod with the address 10.244.<node+1>.<last>.
func (c *cast) pod(when int64, a app, suffix string, node int, last byte) *host {
	ip := []byte{10, 244, byte(node + 1), last}
	h := &host{name: a.name + "-" + suffix, node: uint32(node), addr: packet.AddrFrom4(ip), mac: mac(ip)}
	if a.hash != "" {
		h.name = a.name + "-" + a.hash + "-" + suffix
	}
	labels := map[string]string{"app.kubernetes.io/name": a.name, "app.kubernetes.io/part-of": a.namespace}
	if a.hash != "" && a.kind == "Deployment" {
		labels["pod-template-hash"] = a.hash
	}
	c.state(when, identity.Record{
		Kind: identity.Pod, Namespace: a.namespace, Name: h.name, Addresses: []string{h.addr.String()},
		Node: c.nodes[node].name, Workload: &identity.WorkloadRef{Kind: a.kind, Name: a.name}, Labels: labels,
		Annotations: map[string]string{"shop.example/team": team(a.namespace)},
		Containers:  []identity.Container{{Name: a.name, Image: a.image}},
	})
	return h
}

func team(namespace string) string {
	switch namespace {
	case "shop":
		return "storefront"
	case "payments":
		return "payments"
	}
	return "platform"
}

func (c *cast) shopPods() {
	f := app{"shop", "frontend", "Deployment", "5b8c7d9f64", "registry.example/frontend:2.14.0"}
	c.frontend = []*host{c.pod(before, f, "k7x2m", 0, 10), c.pod(before, f, "w9qlp", 1, 10)}
	k := app{"shop", "cart", "Deployment", "6f4d8b7c95", "registry.example/cart:1.9.3"}
	c.cart = []*host{c.pod(before, k, "8hzdn", 0, 21), c.pod(before, k, "t5vbc", 1, 21)}
	c.catalog = c.pod(before, app{"shop", "catalog", "Deployment", "79d5c6b8f7", "registry.example/catalog:3.2.1"}, "rj4ws", 0, 30)
	c.checkout = c.pod(before, app{"shop", "checkout", "Deployment", "54c9f8d6b8", "registry.example/checkout:1.4.0"}, "n6g8x", 1, 35)
	o := app{"shop", "orders", "Deployment", "84f7b6d5c9", "registry.example/orders:2.0.7"}
	c.orders = []*host{c.pod(before, o, "2cfkq", 0, 50), c.pod(before, o, "xp7mz", 1, 50)}
	c.payment = c.pod(before, app{"payments", "payment", "Deployment", "6c9f7d5b8d", "registry.example/payment:1.7.2"}, "x2k4q", 0, 40)
}

func (c *cast) dataPods() {
	c.redis = c.pod(before, app{"data", "redis", "StatefulSet", "", "redis:7.2"}, "0", 1, 60)
	c.kafka = c.pod(before, app{"data", "kafka", "StatefulSet", "", "kafka:3.9"}, "0", 0, 70)
	c.backup = c.pod(before, app{"data", "redis-backup", "Deployment", "7b9d4f6c58", "registry.example/backup:0.8.1"}, "qz3lt", 1, 65)
	d := app{"kube-system", "coredns", "Deployment", "668d6bf9bc", "coredns:1.11.3"}
	dns := []*host{c.pod(before, d, "4w2jn", 0, 2), c.pod(before, d, "vk8ts", 1, 2)}
	c.prometheus = c.pod(before, app{"monitoring", "prometheus", "StatefulSet", "", "prometheus:3.1"}, "0", 0, 80)
	c.dnsTo = c.service("kube-system", "kube-dns", 53, [4]byte{10, 96, 0, 10}, dns...)
}

// service adds a service in front of pods.
func (c *cast) service(namespace, name string, port uint16, ip [4]byte, pods ...*host) *target {
	t := &target{port: port, name: name + "." + namespace + ".svc.cluster.local"}
	labels := map[string]string{"app.kubernetes.io/name": name}
	r := identity.Record{Kind: identity.Service, Namespace: namespace, Name: name, Labels: labels}
	if ip != ([4]byte{}) {
		t.host = &host{name: name + "." + namespace, addr: packet.AddrFrom4(ip[:]), mac: mac(ip[:]), node: 1}
		r.Addresses = []string{t.host.addr.String()}
	}
	c.state(before, r)
	c.endpoints(before, namespace, name, pods...)
	return t
}

// endpoints states the pods behind a service.
func (c *cast) endpoints(when int64, namespace, name string, pods ...*host) {
	r := identity.Record{Kind: identity.Endpoints, Namespace: namespace, Name: name, Service: name}
	for _, p := range pods {
		r.Addresses = append(r.Addresses, p.addr.String())
	}
	c.state(when, r)
}

func (c *cast) services() {
	c.service("shop", "frontend", 8080, [4]byte{10, 96, 10, 10}, c.frontend...)
	c.cartTo = c.service("shop", "cart", 8080, [4]byte{10, 96, 10, 20}, c.cart...)
	c.catalogTo = c.service("shop", "catalog", 8080, [4]byte{10, 96, 10, 30}, c.catalog)
	c.checkoutTo = c.service("shop", "checkout", 8080, [4]byte{10, 96, 10, 40}, c.checkout)
	c.ordersTo = c.service("shop", "orders", 8080, [4]byte{10, 96, 10, 50}, c.orders...)
	c.service("payments", "payment", 50051, [4]byte{}, c.payment) // headless: clients use the pods' addresses
	c.service("data", "redis", 6379, [4]byte{}, c.redis)
	c.service("data", "kafka", 9092, [4]byte{}, c.kafka)
	c.web = slices.Concat(c.frontend, c.cart, []*host{c.catalog, c.checkout}, c.orders)
}

// rollout states what changes in the three minutes.
func (c *cast) rollout() {
	p := app{"payments", "payment", "Deployment", "7d4b9c6f9f", "registry.example/payment:1.7.2"}
	c.payment2 = c.pod(rolloutBegins+2*second, p, "m8zqp", 1, 41)
	c.records[len(c.records)-1].Annotations["shop.example/config"] = "bank-host-v2"
	c.endpoints(newPodReady, "payments", "payment", c.payment, c.payment2)
	c.endpoints(rolloutDone-second/2, "payments", "payment", c.payment2)
	c.state(oldPodGone, identity.Record{
		Op: identity.Delete, Kind: identity.Pod, Namespace: "payments", Name: c.payment.name, UID: c.uidOf(c.payment.name),
	})
	j := app{"data", "session-cleanup", "CronJob", "29225382", "registry.example/cleanup:0.3.0"}
	c.job = c.pod(jobStarts, j, "zr5kd", 0, 40)
}

// uidOf returns the uid of a pod that was stated.
func (c *cast) uidOf(name string) string {
	for i := range c.records {
		if c.records[i].Name == name && c.records[i].Kind == identity.Pod {
			return c.records[i].UID
		}
	}
	return ""
}
