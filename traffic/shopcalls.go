package traffic

import (
	"cmp"
	"slices"
	"strconv"
)

// visitor is one person in the shop, with one connection.
type visitor struct {
	host   *host
	id     string
	target *target
	from   int64
}

// everything makes up the three minutes.
func (p *plan) everything() {
	p.visits()
	p.background()
	p.cleanup()
	p.backups()
	p.refusal()
	slices.SortStableFunc(p.lines, func(a, b *line) int { return cmp.Compare(a.at, b.at) })
	for _, l := range p.lines {
		if l.protocol == "grpc" && l.to.host == p.cast.payment {
			l.hurry = rolloutDone
		}
	}
}

// page is something that a visitor does.
type page struct {
	at int64
	v  *visitor
	n  int // what it is
}

// visits makes up what the users do, in the order of time.
func (p *plan) visits() {
	var pages []page
	for i, h := range p.cast.users {
		front := p.cast.frontend[i%2]
		v := &visitor{host: h, id: "u" + strconv.Itoa(4100+17*i), target: &target{host: front, port: 8080, site: "shop.example"}}
		for t := p.between(second, 8*second); t < shopLength-3*second; t += p.between(second, 6*second) {
			pages = append(pages, page{t, v, p.below(100)})
		}
	}
	slices.SortStableFunc(pages, func(a, b page) int { return cmp.Compare(a.at, b.at) })
	for _, g := range pages {
		p.visit(g)
	}
}

// visit makes the calls of one page. The visitor waits for one before the next.
func (p *plan) visit(g page) {
	v, t := g.v, max(g.at, g.v.from)
	switch {
	case g.n < 24:
		t = p.page(v, t, "GET", "/", nil, p.listProducts)
	case g.n < 50:
		sku := 100 + p.below(180)
		t = p.page(v, t, "GET", "/products/"+strconv.Itoa(sku), nil, func(f *host, at int64, trace uint64) (int64, httpResponse) {
			return p.product(f, at, sku, trace)
		})
	case g.n < 60:
		t = p.page(v, t, "POST", "/cart", p.item(), func(f *host, at int64, trace uint64) (int64, httpResponse) {
			return p.forward(f, p.cast.cartTo, at, "POST", "/carts/"+v.id+"/items", p.item(), trace, 201, 3*millisecond)
		})
	case g.n < 68:
		t = p.page(v, t, "GET", "/cart", nil, func(f *host, at int64, trace uint64) (int64, httpResponse) {
			return p.forward(f, p.cast.cartTo, at, "GET", "/carts/"+v.id, nil, trace, 200, 2*millisecond)
		})
	case g.n < 88:
		t = p.page(v, t, "GET", "/orders/latest", nil, func(f *host, at int64, trace uint64) (int64, httpResponse) {
			return p.readOrder(f, at, v.id, trace)
		})
	default:
		t = p.page(v, t, "POST", "/checkout", []byte(`{"cart":"`+v.id+`","payment":"card"}`), func(f *host, at int64, trace uint64) (int64, httpResponse) {
			return p.buy(f, at, v.id, trace)
		})
	}
	v.from = t + 200*millisecond
}

// page makes a user's call to a frontend.
func (p *plan) page(v *visitor, at int64, method, path string, body []byte, f func(front *host, at int64, trace uint64) (int64, httpResponse)) int64 {
	trace := p.next() | 1
	q := httpRequest{method: method, target: []byte(path), agent: "Mozilla/5.0 (X11; Linux x86_64)", body: body}
	end, _ := p.http(v.host, v.target, at, q, func(at int64) (int64, httpResponse) {
		return f(v.target.host, at+p.skewed(300*microsecond, 2*millisecond), trace)
	})
	return end
}

// reply returns a JSON response.
func (p *plan) reply(status int, body string) httpResponse {
	return httpResponse{status: status, kind: "application/json", body: []byte(body)}
}

func (p *plan) item() []byte {
	return []byte(`{"sku":` + strconv.Itoa(100+p.below(180)) + `,"quantity":` + strconv.Itoa(1+p.below(3)) + `}`)
}

// forward makes the one call that answers a page.
func (p *plan) forward(from *host, to *target, at int64, method, path string, body []byte, trace uint64, status int, slow int64) (int64, httpResponse) {
	var a httpResponse
	q := httpRequest{method: method, target: []byte(path), agent: "shop-" + appOf(from) + "/1.0", body: body, trace: trace}
	end, _ := p.http(from, to, at, q, func(at int64) (int64, httpResponse) {
		a = p.reply(status, p.describe(path))
		return at + p.skewed(slow/3, slow), a
	})
	return end + p.between(100*microsecond, 400*microsecond), a
}

// appOf is what a pod's user agent calls itself.
func appOf(h *host) string {
	for i := range len(h.name) {
		if h.name[i] == '-' {
			return h.name[:i]
		}
	}
	return h.name
}

// describe is the body about what a path names.
func (p *plan) describe(path string) string {
	n := p.below(180)
	return `{"self":"` + path + `","name":"` + shades[n%len(shades)] + " " + goods[n%len(goods)] +
		`","price":` + strconv.Itoa(5+n) + `.50,"stock":` + strconv.Itoa(n%40) + `}`
}

func (p *plan) listProducts(f *host, at int64, trace uint64) (int64, httpResponse) {
	q := httpRequest{method: "GET", target: []byte("/products?page=" + strconv.Itoa(1+p.below(9))), agent: "shop-frontend/1.0", trace: trace}
	body := []byte(`{"items":[`)
	for i := range 6 {
		if i > 0 {
			body = append(body, ',')
		}
		body = append(body, p.describe("/products/"+strconv.Itoa(100+p.below(180)))...)
	}
	body = append(body, "]}"...)
	a := httpResponse{status: 200, kind: "application/json", body: body}
	if p.chance(0.3) {
		a.body, a.packed = gzipped(body), true
	}
	end, _ := p.http(f, p.cast.catalogTo, at, q, func(at int64) (int64, httpResponse) {
		return at + p.skewed(2*millisecond, 12*millisecond), a
	})
	return end + p.between(200*microsecond, 900*microsecond), httpResponse{status: 200, kind: "text/html", body: home, chunked: true}
}

var home = []byte("<!doctype html><html><head><title>The shop</title></head><body><h1>Things for the house</h1><ul id=\"items\"></ul></body></html>\n")

// product shows one product; some are gone.
func (p *plan) product(f *host, at int64, sku int, trace uint64) (int64, httpResponse) {
	path := "/products/" + strconv.Itoa(sku)
	if sku > 270 {
		end, a := p.forward(f, p.cast.catalogTo, at, "GET", path, nil, trace, 404, 3*millisecond)
		a.body = []byte(`{"error":"no such product"}`)
		return end, a
	}
	return p.forward(f, p.cast.catalogTo, at, "GET", path, nil, trace, 200, 6*millisecond)
}

// readOrder shows the last order, which is in Redis.
func (p *plan) readOrder(f *host, at int64, user string, trace uint64) (int64, httpResponse) {
	pod := p.cast.orders[p.below(2)]
	q := httpRequest{method: "GET", target: []byte("/orders?user=" + user), agent: "shop-frontend/1.0", trace: trace}
	a := p.reply(200, `{"user":"`+user+`","state":"paid"}`)
	end, _ := p.http(f, p.cast.ordersTo, at, q, func(at int64) (int64, httpResponse) {
		key := "order:" + user
		done := p.redis(pod, at+300*microsecond, key, "*4\r\n$4\r\nuser\r\n$5\r\n"+user+"\r\n$5\r\nstate\r\n$4\r\npaid\r\n", "HGETALL", key)
		return done + p.between(200*microsecond, 700*microsecond), a
	})
	return end + p.between(100*microsecond, 400*microsecond), a
}

// buy is what POST /checkout needs: the cart, the payment and the order.
func (p *plan) buy(f *host, at int64, user string, trace uint64) (int64, httpResponse) {
	a := p.reply(201, `{"order":"`+user+`","state":"paid"}`)
	q := httpRequest{method: "POST", target: []byte("/checkout"), agent: "shop-frontend/1.0", trace: trace, body: []byte(`{"cart":"` + user + `"}`)}
	end, _ := p.http(f, p.cast.checkoutTo, at, q, func(at int64) (int64, httpResponse) {
		c := p.cast.checkout
		t, _ := p.forward(c, p.cast.cartTo, at+400*microsecond, "GET", "/carts/"+user, nil, trace, 200, 2*millisecond)
		t, code := p.charge(t, strconv.FormatUint(trace, 16))
		if code != 0 {
			a = p.reply(503, `{"error":"payment is not available","code":"UNAVAILABLE"}`)
			a.retry = true
			return t + p.between(200*microsecond, 600*microsecond), a
		}
		t = p.order(c, t, user, trace)
		return t + p.between(200*microsecond, 600*microsecond), a
	})
	return end + p.between(100*microsecond, 400*microsecond), a
}

// order writes an order down: Redis keeps it, Kafka tells others.
func (p *plan) order(from *host, at int64, user string, trace uint64) int64 {
	pod := p.cast.orders[p.below(2)]
	q := httpRequest{method: "POST", target: []byte("/orders"), agent: "shop-checkout/1.0", trace: trace, body: []byte(`{"user":"` + user + `","state":"paid"}`)}
	end, _ := p.http(from, p.cast.ordersTo, at, q, func(at int64) (int64, httpResponse) {
		key := "order:" + user
		t := p.redis(pod, at+300*microsecond, key, ":2\r\n", "HSET", key, "user", user, "state", "paid")
		t = p.produce(pod, t+300*microsecond, q.body)
		return t + 300*microsecond, p.reply(201, `{"user":"`+user+`"}`)
	})
	return end
}

// charge takes the money, by the payment pod of that time.
func (p *plan) charge(at int64, trace string) (int64, int) {
	pod, name, bank := p.cast.payment, bankName, p.cast.bank
	if at >= rolloutDone-300*millisecond {
		at = max(at, rolloutDone+100*millisecond)
		pod, name, bank = p.cast.payment2, bankMistype, nil
	}
	return p.rpc(p.cast.checkout, &target{host: pod, port: 50051}, at, "/payments.Payment/Charge", trace, func(at int64) (int64, http2Call) {
		t := p.lookup(pod, name, at+500*microsecond, bank)
		if bank == nil {
			t = p.lookup(pod, name, t+100*millisecond, bank) // once more
			return t, http2Call{code: 14, message: "bank: lookup " + name + ": no such host"}
		}
		return p.pay(pod, t) + 300*microsecond, http2Call{}
	})
}

// pay is the call to the bank, over TLS.
func (p *plan) pay(pod *host, at int64) int64 {
	l := p.begin(pod, p.cast.bank, 443, "tlsx", at)
	slow := p.skewed(40*millisecond, 120*millisecond)
	l.say(at+slow, func(c *conversation) {
		c.secure(bankName, "http/1.1")
		c.exchange(420, 310, slow-30*millisecond)
	})
	l.end = func(c *conversation) { c.close(client) }
	return at + slow + 60*millisecond
}
