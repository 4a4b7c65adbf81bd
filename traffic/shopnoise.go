package traffic

import "strconv"

// produce tells Kafka of an order.
func (p *plan) produce(from *host, at int64, value []byte) int64 {
	return p.kafka(from, at, p.skewed(millisecond, 5*millisecond), func(c *conversation) kafkaCall {
		return kafkaCall{api: apiProduce, records: c.build(func(b []byte) []byte { return batch(b, c.now, value) })}
	})
}

// kafka makes a call to the broker on the topic of orders.
func (p *plan) kafka(from *host, at, slow int64, f func(c *conversation) kafkaCall) int64 {
	l, start := p.connect(from, &target{host: p.cast.kafka, port: 9092}, "kafka", at)
	if l.parts == nil {
		l.old, l.at = at < 10*second, at
		h := &kafkaConn{client: appOf(from)}
		l.parts = append(l.parts, nil)
		l.parts[0] = func(c *conversation) {
			h.play(c, &kafkaCall{api: apiMetadata, topic: "orders", broker: "kafka-0.kafka.data.svc.cluster.local"}, millisecond)
		}
		l.kafka = h
		start += 3 * millisecond
	}
	h := l.kafka
	end := start + hop + slow
	offset := uint64(88000 + at/second)
	l.say(end, func(c *conversation) {
		c.waitUntil(shopStart + start)
		k := f(c)
		k.topic, k.partition, k.offset = "orders", 3, offset
		h.play(c, &k, shopStart+end-c.trip[server]-c.now)
	})
	return end
}

// background makes up what goes on by itself: probes, scrapes and polls.
func (p *plan) background() {
	for i, h := range p.cast.web {
		first := p.between(0, 10*second)
		for t := first; t < shopLength-second; t += 10 * second {
			p.probe(h, t)
		}
		p.scrape(h, second+int64(i)*700*millisecond)
	}
	for t := newPodReady - second; t < shopLength-second; t += 10 * second {
		p.knock(p.cast.payment2, 50051, t)
	}
	for t := 3 * second; t < rolloutDone; t += 10 * second {
		p.knock(p.cast.payment, 50051, t)
	}
	for t := 5 * second; t < shopLength-second; t += 10 * second {
		p.knock(p.cast.redis, 6379, t)
		p.knock(p.cast.kafka, 9092, t+second)
	}
	for i, pod := range p.cast.orders { // each reads what the other wrote
		for t := int64(i) * 300 * millisecond; t < shopLength-2*second; {
			t = p.kafka(pod, t, 500*millisecond, func(*conversation) kafkaCall { return kafkaCall{api: apiFetch} }) + 250*millisecond
		}
		for t := second + int64(i)*200*millisecond; t < shopLength-2*second; {
			t = p.redis(pod, t, "queue:orders", "$-1\r\n", "LPOP", "queue:orders") + 400*millisecond
		}
	}
}

// probe is a kubelet's health check of a pod, on a connection of its own.
func (p *plan) probe(pod *host, at int64) {
	l := p.begin(&p.cast.nodes[pod.node], pod, 8080, "http", at)
	q := httpRequest{method: "GET", target: []byte("/healthz"), host: pod.addr.String() + ":8080", agent: "kube-probe/1.31"}
	a := httpResponse{status: 200, kind: "text/plain", body: []byte("ok"), server: "shop"}
	slow := p.skewed(300*microsecond, 3*millisecond)
	l.say(at+slow, func(c *conversation) {
		first := c.ask(&q).first
		c.wait(slow)
		last := c.answer(&a).last
		c.report(Call{Protocol: "http", Method: "GET", Status: "200", Start: first, Elapsed: last - first}, q.target)
	})
	l.end = func(c *conversation) { c.close(client) }
}

// knock is a kubelet's check that a port is open: a connection without a word.
func (p *plan) knock(pod *host, port uint16, at int64) {
	l := p.begin(&p.cast.nodes[pod.node], pod, port, "none", at)
	l.end = func(c *conversation) { c.close(client) }
}

// scrape is Prometheus reading the metrics of a pod.
func (p *plan) scrape(pod *host, at int64) {
	to := &target{host: pod, port: 8080}
	for ; at < shopLength-second; at += 15 * second {
		body := []byte("# TYPE http_requests_total counter\n")
		for _, code := range []string{"200", "201", "404", "503"} {
			body = append(body, `http_requests_total{code="`+code+`"} `+strconv.Itoa(int(at/second)*7+p.below(50))+"\n"...)
		}
		q := httpRequest{method: "GET", target: []byte("/metrics"), agent: "Prometheus/3.1.0"}
		a := httpResponse{status: 200, kind: "text/plain; version=0.0.4", body: gzipped(body), packed: true}
		p.http(p.cast.prometheus, to, at, q, func(at int64) (int64, httpResponse) {
			return at + p.skewed(millisecond, 8*millisecond), a
		})
	}
}

// cleanup is the batch job. It lists all keys, which Redis does at one go.
func (p *plan) cleanup() {
	l := p.begin(p.cast.job, p.cast.redis, 6379, "redis", blockades[0].at-2*second)
	keys := []byte("*24\r\n")
	for _, u := range p.cast.users {
		keys = bulk(keys, "session:"+u.addr.String())
	}
	for _, b := range blockades {
		l.say(b.at+b.length, func(c *conversation) {
			c.waitUntil(shopStart + b.at)
			c.redis(b.length, []redisCall{{args: []string{"KEYS", "session:*"}, key: "session:*", reply: keys, status: "OK"}})
			c.wait(20 * millisecond)
			c.redis(300*microsecond, []redisCall{{args: []string{"DEL", "session:expired"}, key: "session:expired", reply: []byte(":0\r\n"), status: "OK"}})
		})
	}
	l.end = func(c *conversation) { c.close(client) }
}

// backups are uploads over a link of node-b that loses packets.
func (p *plan) backups() {
	l := p.begin(p.cast.backup, p.cast.store, 9000, "http", 21*second)
	l.flaws = &Flaws{Loss: 0.12}
	r := newRandom(1, 'B')
	part := newDocument(&r, 40000).plain
	for i := range 17 {
		q := httpRequest{method: "PUT", target: []byte("/backups/redis/part-" + strconv.Itoa(i)), host: p.cast.store.name, agent: "backup/0.8.1", body: part}
		a := httpResponse{status: 200, server: "store"}
		start := (21 + 9*int64(i)) * second
		l.say(start, func(c *conversation) {
			c.waitUntil(shopStart + start)
			first := c.ask(&q).first
			c.wait(4 * millisecond)
			last := c.answer(&a).last
			c.report(Call{Protocol: "http", Method: "PUT", Status: "200", Start: first, Elapsed: last - first}, q.target)
		})
	}
	l.end = func(c *conversation) { c.close(client) }
}

// refusal is checkout's last attempt to reach the old payment pod, which does
// not listen any more.
func (p *plan) refusal() {
	l := p.begin(p.cast.checkout, p.cast.payment, 50051, "none", rolloutDone+40*millisecond)
	l.open = func(c *conversation) {
		c.refuse()
		c.world.truth.Refused++
	}
}
