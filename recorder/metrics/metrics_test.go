package metrics

import (
	"bytes"
	"math"
	"testing"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// What is written is what Prometheus's own parser reads, whatever is in the labels.
func TestParsed(t *testing.T) {
	nasty := "a\"b\\c\nd\xffé"
	families := []Family{
		One("z_last", Gauge, math.Inf(1), "Comes last."),
		{"a_total", "Counts\nwith \\ in it.", Counter, []Sample{
			{[]Label{{"reason", nasty}, {"kind", "x"}}, 3},
			{[]Label{{"reason", "other"}, {"kind", "x"}}, 1e18},
		}},
		{"a_total", "Counts\nwith \\ in it.", Counter, []Sample{
			{[]Label{{"kind", "x"}, {"reason", "other"}}, 7}, // is there
			{[]Label{{"kind", "y"}, {"reason", "other"}}, 0.25},
		}},
	}
	var text bytes.Buffer
	if err := Write(&text, families); err != nil {
		t.Fatal(err)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	got, err := parser.TextToMetricFamilies(bytes.NewReader(text.Bytes()))
	if err != nil {
		t.Fatalf("%v in\n%s", err, text.Bytes())
	}
	if len(got) != 2 || got["z_last"].GetMetric()[0].GetGauge().GetValue() != math.Inf(1) || got["z_last"].GetHelp() != "Comes last." {
		t.Errorf("%v", got)
	}
	values := make(map[[2]string]float64)
	for _, m := range got["a_total"].GetMetric() {
		key := [2]string{}
		for _, l := range m.GetLabel() {
			if l.GetName() == "kind" {
				key[0] = l.GetValue()
			} else {
				key[1] = l.GetValue()
			}
		}
		values[key] = m.GetCounter().GetValue()
	}
	want := map[[2]string]float64{{"x", "a\"b\\c\nd�é"}: 3, {"x", "other"}: 1e18, {"y", "other"}: 0.25}
	if len(values) != len(want) {
		t.Errorf("%v", values)
	}
	for k, v := range want {
		if values[k] != v {
			t.Errorf("%q is %v, want %v", k, values[k], v)
		}
	}
	if h := got["a_total"].GetHelp(); h != "Counts\nwith \\ in it." {
		t.Errorf("the help is %q", h)
	}
}
