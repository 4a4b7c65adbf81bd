package workbench

import (
	"errors"
	"strconv"
	"strings"

	"shark/kfl"
)

// SuggestField says what may be meant by the name of a field that there is not, as a
// question such as "did you mean http?"; empty when nothing is near.
func (w *Workbench) SuggestField(name string) string {
	return w.suggest(name, "unknown name "+strconv.Quote(name)+"; ")
}

// SuggestFunction is SuggestField for the functions of the query language.
func (w *Workbench) SuggestFunction(name string) string {
	return w.suggest(name+"()", "unknown function "+strconv.Quote(name)+"; ")
}

// suggest returns what the query language has to say of an expression after the
// words of an error, and nothing if it says something else.
func (w *Workbench) suggest(expr, after string) string {
	_, err := w.compile(expr)
	var near *kfl.Error
	if !errors.As(err, &near) {
		return ""
	}
	hint, ok := strings.CutPrefix(near.Problems[0].Message, after)
	if !ok {
		return ""
	}
	return hint
}
