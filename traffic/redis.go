package traffic

// redisCall is a command and its reply.
type redisCall struct {
	args   []string
	key    string // what it is about; empty for none
	reply  []byte // RESP2, https://redis.io/docs/latest/develop/reference/protocol-spec/
	status string // OK, or the word that an error begins with
}

// command appends the command as an array of bulk strings.
func (k *redisCall) command(b []byte) []byte {
	b = append(number(append(b, '*'), len(k.args)), "\r\n"...)
	for _, a := range k.args {
		b = bulk(b, a)
	}
	return b
}

func bulk[T string | []byte](b []byte, s T) []byte {
	b = append(number(append(b, '$'), len(s)), "\r\n"...)
	return append(append(b, s...), "\r\n"...)
}

// redis plays commands that are sent in one write, answered in another.
func (c *conversation) redis(delay int64, calls []redisCall) {
	sent := c.say(client, func(b []byte) []byte {
		for i := range calls {
			b = calls[i].command(b)
		}
		return b
	})
	c.wait(delay)
	got := c.say(server, func(b []byte) []byte {
		for i := range calls {
			b = append(b, calls[i].reply...)
		}
		return b
	})
	for i := range calls {
		k := &calls[i]
		c.report(Call{
			Protocol: "redis", Method: k.args[0], Status: k.status,
			Start: sent.first, Elapsed: got.last - sent.first,
		}, []byte(k.key))
	}
}

// maxPipeline is the most commands in one write. Together they fit a segment.
const maxPipeline = 6

// redisScript is a connection of Redis commands at random.
type redisScript struct {
	left   int
	opened bool
}

func (s *redisScript) step(c *conversation) bool {
	if !s.opened {
		s.opened = true
		c.open()
	} else {
		c.wait(c.skewed(100*microsecond, 20*millisecond))
	}
	n := 1
	if c.chance(0.25) {
		n = min(s.left, 1+c.below(maxPipeline))
	}
	s.left -= n
	var calls [maxPipeline]redisCall
	for i := range n {
		s.invent(c, &calls[i])
	}
	c.redis(c.skewed(50*microsecond, 2*millisecond), calls[:n])
	if s.left > 0 && !c.world.full() {
		return true
	}
	c.close(client)
	return false
}

// invent makes up a command.
func (s *redisScript) invent(c *conversation, k *redisCall) {
	k.key = pick(&c.random, collections) + ":" + pick(&c.random, goods)
	k.status = "OK"
	value := pick(&c.random, shades) + " " + pick(&c.random, goods)
	switch n := c.below(100); {
	case n < 40:
		k.args, k.reply = []string{"GET", k.key}, bulk(nil, value)
	case n < 48:
		k.args, k.reply = []string{"GET", k.key}, []byte("$-1\r\n")
	case n < 70:
		k.args, k.reply = []string{"SET", k.key, value, "EX", "300"}, []byte("+OK\r\n")
	case n < 80:
		k.args, k.reply = []string{"INCR", k.key}, []byte(":"+string(number(nil, c.below(1000)))+"\r\n")
	case n < 90:
		k.args = []string{"HGETALL", k.key}
		k.reply = bulk(bulk(bulk(bulk([]byte("*4\r\n"), "name"), value), "stock"), string(number(nil, c.below(90))))
	case n < 96:
		k.args, k.reply = []string{"EXPIRE", k.key, "60"}, []byte(":1\r\n")
	default:
		k.args, k.status = []string{"LPUSH", k.key, value}, "WRONGTYPE"
		k.reply = []byte("-WRONGTYPE Operation against a key holding the wrong kind of value\r\n")
	}
}
