package amqp

import (
	"fmt"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
)

// consumed begins a consumer of a channel. The server gives it its name if it has none.
func consumed(name string, noAck bool) (request, response string) {
	flags := []byte{0}
	if noAck {
		flags[0] = 2
	}
	request = invoke(1, "basic.consume", 0, "q", name, flags, emptyTable)
	if name == "" {
		name = "amq.ctag-1"
	}
	return request, invoke(1, "basic.consume-ok", name)
}

// delivery is one to a consumer, of which each has a key of its own.
func deliveredTo(consumer string, tag uint64, key string) string {
	return invoke(1, "basic.deliver", consumer, tag, false, "", key) + head(1, 0)
}

// consuming is a connection with a consumer of channel 1.
func consuming(name string, noAck bool) *dissectortest.Script {
	request, response := consumed(name, noAck)
	return dissectortest.NewScript().Client(invoke(1, "channel.open", "")).Server(invoke(1, "channel.open-ok", emptyTable)).Client(request).Server(response)
}

func TestDeliveries(t *testing.T) {
	began := []string{"channel.open > channel.open-ok", "basic.consume q > basic.consume-ok"}
	with := func(lines ...string) []string { return append(lines, began...) }
	three := func(c string) string { return deliveredTo(c, 1, "a") + deliveredTo(c, 2, "b") + deliveredTo(c, 3, "c") }
	rejected := invoke(1, "basic.reject", uint64(2), true)
	for name, c := range map[string]struct {
		s    *dissectortest.Script
		want []string
	}{
		"each": {
			consuming("w", false).Server(three("w")).Client(acked(1, 3, false)+rejected, nacked(1, 1)),
			with("basic.deliver a > basic.nack", "basic.deliver b > basic.reject", "basic.deliver c > basic.ack"),
		},
		"several": {
			consuming("w", false).Server(three("w")).Client(acked(1, 2, true)),
			with("basic.deliver a > basic.ack", "basic.deliver b > basic.ack", "basic.deliver c > -"),
		},
		"all": {
			consuming("w", false).Server(three("w")).Client(rejected, acked(1, 0, true)),
			with("basic.deliver a > basic.ack", "basic.deliver b > basic.reject", "basic.deliver c > basic.ack"),
		},
		"twice": {
			consuming("w", false).Server(deliveredTo("w", 1, "a")).Client(acked(1, 1, false), acked(1, 1, false)),
			with("basic.deliver a > basic.ack", "basic.ack tag 1 one-way"),
		},
		"named by the server": {
			consuming("", false).Server(deliveredTo("amq.ctag-1", 1, "a")).Client(acked(1, 1, false)),
			with("basic.deliver a > basic.ack"),
		},
		"no-ack": {
			consuming("w", true).Server(three("w")), with("basic.deliver a one-way", "basic.deliver b one-way", "basic.deliver c one-way"),
		},
		"no-ack, named by the server": {
			consuming("", true).Server(deliveredTo("amq.ctag-1", 1, "a")),
			with("basic.deliver a one-way"),
		},
		"consumer not seen": {
			dissectortest.NewScript().Server(deliveredTo("w", 7, "a") + deliveredTo("v", 8, "b")).Client(acked(1, 7, false)).
				Server(deliveredTo("w", 9, "c") + deliveredTo("v", 10, "d")).Client(acked(1, 9, false)),
			[]string{"basic.deliver a one-way unpaired", "basic.deliver b one-way unpaired", "basic.ack tag 7 one-way", "basic.deliver c > basic.ack", "basic.deliver d one-way unpaired"},
		},
		"got": {
			dissectortest.NewScript().Client(invoke(1, "basic.get", 0, "q", false)).Server(invoke(1, "basic.get-ok", uint64(1), false, "", "k", make([]byte, 4)) + head(1, 0)).Client(acked(1, 1, false)),
			[]string{"basic.get q > basic.get-ok", "basic.ack tag 1 one-way"},
		},
		"taken back": {
			consuming("w", false).Server(deliveredTo("w", 1, "a")).Client(invoke(1, "basic.recover", true)).Server(invoke(1, "basic.recover-ok") + deliveredTo("w", 2, "b")).Client(acked(1, 2, true)),
			with("basic.deliver a > -", "basic.recover > basic.recover-ok", "basic.deliver b > basic.ack"),
		},
		"after reopening": {
			consuming("w", false).Server(deliveredTo("w", 1, "a")).Client(invoke(1, "channel.close", 200, "", 0, 0)).Server(invoke(1, "channel.close-ok")).
				Client(invoke(1, "channel.open", "")).Server(invoke(1, "channel.open-ok", emptyTable)).Server(deliveredTo("w", 1, "b")).Client(acked(1, 1, false)),
			with("basic.deliver a > -", "channel.close > channel.close-ok", "channel.open > channel.open-ok", "basic.deliver b one-way unpaired", "basic.ack tag 1 one-way"),
		},
	} {
		t.Run(name, func(t *testing.T) { check(t, c.s, c.want...) })
	}
}

func TestDeliveriesAfterLoss(t *testing.T) {
	began := []string{"channel.open > channel.open-ok", "basic.consume q > basic.consume-ok"}
	with := func(lines ...string) []string { return append(lines, began...) }
	t.Run("of an ack", func(t *testing.T) { // the first ack may have been lost: the second is no certain answer to what it may have answered
		check(t, consuming("w", false).Server(deliveredTo("w", 1, "a")+deliveredTo("w", 2, "b")).Lose().Client(acked(1, 1, false)).
			Client(acked(1, 2, true)).Server(deliveredTo("w", 3, "c")).Client(acked(1, 3, true)),
			with("basic.deliver a > -", "basic.deliver b > basic.ack resumed", "basic.deliver c > basic.ack")...)
	})
	t.Run("of a delivery", func(t *testing.T) {
		check(t, consuming("w", false).Server(deliveredTo("w", 1, "a")).Lose().Server(deliveredTo("w", 2, "b")).Server(deliveredTo("w", 3, "c")).
			Client(acked(1, 3, true)),
			with("basic.deliver a > basic.ack", "basic.deliver c > basic.ack resumed")...)
	})
	t.Run("with the channel opened again in it", func(t *testing.T) { // whose tags begin anew: which ack is about what cannot be told
		request, _ := consumed("w", false)
		check(t, consuming("w", false).Server(deliveredTo("w", 1, "a")+deliveredTo("w", 2, "b")).
			Lose().Client(invoke(1, "channel.close", 200, "", 0, 0)+invoke(1, "channel.open", "")+request).
			Lose().Server(invoke(1, "channel.close-ok")+deliveredTo("w", 1, "x")+deliveredTo("w", 2, "y")).
			Server(deliveredTo("w", 3, "z")).Client(acked(1, 2, false)).Client(acked(1, 3, false)),
			with("basic.deliver a > -", "basic.deliver b > -", "basic.deliver z > - resumed", "basic.ack tag 2 one-way resumed", "basic.ack tag 3 one-way")...)
	})
	t.Run("with lower tags behind it", func(t *testing.T) {
		request, response := consumed("w", false)
		check(t, consuming("w", false).Server(deliveredTo("w", 5, "a")).
			Lose().Client(invoke(1, "channel.close", 200, "", 0, 0)+invoke(1, "channel.open", "")+request).
			Server(invoke(1, "channel.open-ok", emptyTable)+response+deliveredTo("w", 1, "b")).Client(acked(1, 5, true)),
			with("basic.deliver a > -", "- > channel.open-ok", "- > basic.consume-ok", "basic.deliver b one-way unpaired", "basic.ack up to tag 5 one-way resumed")...)
	})
}

// TestTooManyDeliveries: what is over a limit is told alone, and says so.
func TestTooManyDeliveries(t *testing.T) {
	s := consuming("w", false)
	want := []string{"channel.open > channel.open-ok", "basic.consume q > basic.consume-ok"}
	for tag := uint64(1); tag <= maxUnsettled+2; tag++ {
		s.Server(deliveredTo("w", tag, "k"))
		if tag <= maxUnsettled {
			want = append(want, "basic.deliver k > basic.ack")
		} else {
			want = append(want, "basic.deliver k one-way unpaired")
		}
	}
	s.Client(acked(1, 0, true)).Server(deliveredTo("w", maxUnsettled+3, "z")).Client(acked(1, maxUnsettled+3, false))
	check(t, s, append(want, "basic.deliver z > basic.ack")...)
}

// TestBoundsOfAConnection: many channels share what a connection may keep.
func TestBoundsOfAConnection(t *testing.T) {
	p := new(parser)
	say := func(from dissector.Side, said string) {
		t.Helper()
		for off := 0; off < len(said); {
			m := new(dissector.Message)
			span, err := p.parse(from, []byte(said[off:]), m)
			if err != nil {
				t.Fatal(err)
			}
			if !m.Again {
				off += int(span)
			}
		}
	}
	for n := 1; n <= 5; n++ {
		for i := range 1000 {
			say(dissector.Client, invoke(n, "basic.consume", 0, "q", fmt.Sprintf("c%d", i), []byte{0}, emptyTable))
		}
		for tag := range uint64(1000) {
			say(dissector.Server, invoke(n, "basic.deliver", "c0", tag+1, false, "", "k")+head(n, 0))
		}
	}
	if p.waiting != maxWaiting || p.consumers != maxConsumers {
		t.Errorf("%d unsettled, %d consumers", p.waiting, p.consumers)
	}
	for n := 1; n <= 5; n++ {
		say(dissector.Client, acked(n, 0, true))
		say(dissector.Client, invoke(n, "channel.close-ok"))
	}
	if p.waiting != 0 || p.consumers != 0 || len(p.channels) != 0 {
		t.Errorf("closed, but %d unsettled, %d consumers, %d channels", p.waiting, p.consumers, len(p.channels))
	}
}
