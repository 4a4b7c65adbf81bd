package traffic

// queue holds the packets of one direction, in the order of time.
type queue struct {
	segments []segment
	next     int
}

func (q *queue) reset() { q.segments, q.next = q.segments[:0], 0 }

func (q *queue) empty() bool { return q.next == len(q.segments) }

// push puts a packet of a side into its queue, not before the packets there, and
// returns when it is sent. On the way the capture may miss it or see it twice.
func (c *conversation) push(from side, s segment) int64 {
	s.at = max(s.at, c.last[from]+microsecond)
	c.last[from] = s.at
	if c.tcp {
		s.val = c.stamp[from] + uint32(s.at/millisecond)
		s.ecr = c.echo[from]
		c.echo[from.other()] = s.val
	}
	t := &c.world.truth
	switch {
	case c.blind > 0:
		c.blind--
		t.Missed++
	case c.chance(c.flaws.Drop):
		t.Dropped++
		*c.world.interfaces[c.home].Received++ // by the kernel
		*c.world.interfaces[c.home].Dropped++
	default:
		q := &c.queues[from]
		q.segments = append(q.segments, s)
		c.world.plan(&s, c)
		if c.chance(c.flaws.Duplicate) {
			t.Duplicated++
			again := s
			again.at += microsecond / 2
			again.again, again.elsewhere = true, true
			q.segments = append(q.segments, again)
			c.world.plan(&again, c)
		}
		return s.at
	}
	c.missing = c.missing || len(s.payload) > 0
	return s.at
}

// due returns the time of the next packet and its direction; ok is false when
// nothing is queued.
func (c *conversation) due() (at int64, from side, ok bool) {
	a, b := &c.queues[client], &c.queues[server]
	switch {
	case a.empty() && b.empty():
		return 0, client, false
	case b.empty() || !a.empty() && a.segments[a.next].at <= b.segments[b.next].at:
		return a.segments[a.next].at, client, true
	}
	return b.segments[b.next].at, server, true
}

// refill plays steps until packets are queued. It returns false at the end of
// the conversation.
func (c *conversation) refill() bool {
	for {
		if _, _, ok := c.due(); ok {
			return true
		}
		if c.done {
			return false
		}
		c.queues[client].reset()
		c.queues[server].reset()
		c.arena = c.arena[:0]
		c.missing = false
		c.now = max(c.now, c.last[client], c.last[server])
		c.done = !c.script.step(c)
	}
}
