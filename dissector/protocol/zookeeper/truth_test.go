package zookeeper_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
	"shark/dissector/field"
	"shark/dissector/protocol/zookeeper"
)

// told collects the calls and watch events as the recorded clients write them:
// operation, path and status, and what the answer held.
type told struct{ lines []string }

func (c *told) Entry(e *dissector.Entry) error {
	if e.Protocol != zookeeper.Protocol {
		return nil
	}
	v := &e.Request.Values
	op, path := string(dissector.Operation.Get(v)), string(zookeeper.Path.Get(v))
	switch {
	case op == "ping" || strings.HasPrefix(op, "setWatches"): // the clients do that by themselves
		return nil
	case op == "auth":
		path = string(zookeeper.Scheme.Get(v))
	case path == "":
		path = "-"
	}
	line := op + " " + path
	if e.OneWay {
		c.lines = append(c.lines, line+" "+string(zookeeper.Event.Get(v)))
		return nil
	}
	c.lines = append(c.lines, line+" "+string(dissector.Status.Get(&e.Response.Values))+held(op, v, e.Response))
	return nil
}

// held says what an answer held, as the clients do.
func held(op string, req *field.Values, m *dissector.Message) string {
	v := &m.Values
	if dissector.StatusCode.Get(v) != 0 {
		return ""
	}
	switch op {
	case "create", "create2", "createContainer", "createTTL":
		return " " + string(zookeeper.Created.Get(v))
	case "getData":
		return fmt.Sprintf(" %d v%d", zookeeper.DataSize.Get(v), zookeeper.NodeVer.Get(v))
	case "setData", "exists":
		return fmt.Sprintf(" v%d", zookeeper.NodeVer.Get(v))
	case "getChildren", "getChildren2", "getEphemerals", "getAllChildrenNumber":
		return fmt.Sprintf(" %d", zookeeper.Children.Get(v))
	case "multi", "multiRead":
		n := 0
		for range zookeeper.Operations.Each(req) {
			n++
		}
		return fmt.Sprintf(" %d", n)
	case "ruok", "srvr":
		return fmt.Sprintf(" %d", m.Size)
	}
	return ""
}

// TestAgainstClients compares every call with what the client that made it was told.
func TestAgainstClients(t *testing.T) {
	dissectortest.Told(t, "zookeeper", func(t *testing.T, capture string, want []string) {
		want = slices.Clone(want)
		for i, line := range want { // how many records whoAmI gives is not kept
			if strings.HasPrefix(line, "whoAmI") || strings.HasPrefix(line, "multi") && strings.Contains(capture, "kazoo") {
				want[i] = strings.Join(strings.Fields(line)[:3], " ")
			}
		}
		var got told
		dissectortest.Dissect(t, dissectortest.Open(t, capture), &got, zookeeper.Protocol)
		dissectortest.SameLines(t, got.lines, want)
	})
}
