package workbench

import "testing"

func TestSuggest(t *testing.T) {
	w := newBench(t)
	for name, want := range map[string]string{"htttp": "did you mean http?", "source.ip": "did you mean src.ip?", "http": "", "quantum": "", "": "", "1 + htp": "", "htp\"": ""} {
		if got := w.SuggestField(name); got != want {
			t.Errorf("field %q: %q, want %q", name, got, want)
		}
	}
	for name, want := range map[string]string{"ip_in_rnge": "did you mean ip_in_range?", "quantum": "", "": "", "htp ||": ""} {
		if got := w.SuggestFunction(name); got != want {
			t.Errorf("function %q: %q, want %q", name, got, want)
		}
	}
}
