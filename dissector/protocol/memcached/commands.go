package memcached

import (
	"bytes"
)

// kind is what a command may be answered with.
type kind uint8

// The kinds, as indexes of replies.
const (
	anything kind = iota // of a command that is not known
	storage
	retrieval
	deletion
	counter
	touch
	statistics
	fine
	version
	slabs
	crawler
	metaGet
	metaSet
	metaDelete
	metaArithmetic
	metaNoop
	metaDebug
	watch
)

// replies are the first words that answer a command of a kind; errors answer all.
// NUMBER stands for a counter's value, KEY for a line of a metadump, mg for one of
// an mgdump.
var replies = [...][]string{
	storage:        {"STORED", "NOT_STORED", "EXISTS", "NOT_FOUND"},
	retrieval:      {"VALUE", "END"},
	deletion:       {"DELETED", "NOT_FOUND"},
	counter:        {number, "NOT_FOUND"},
	touch:          {"TOUCHED", "NOT_FOUND"},
	statistics:     {"STAT", "END", "RESET", "OK", "PREFIX", "ITEM"},
	fine:           {"OK"},
	version:        {"VERSION"},
	slabs:          {"OK", "BUSY", "BADCLASS", "NOSPARE", "NOTFULL", "UNSAFE", "SAME"},
	crawler:        {"OK", "BUSY", "BADCLASS", "NOTSTARTED", "KEY", "mg", "END", "EN"},
	metaGet:        {"VA", "HD", "EN", "NF"},
	metaSet:        {"HD", "NS", "EX", "NF"},
	metaDelete:     {"HD", "NF", "EX"},
	metaArithmetic: {"HD", "VA", "NF", "NS", "EX"},
	metaNoop:       {"MN"},
	metaDebug:      {"ME", "EN"},
	watch:          {"OK"},
}

const number = "NUMBER"

// mayAnswer tells whether a reply that begins with word can be one to k.
func (k kind) mayAnswer(word []byte) bool {
	if k == anything || isError(word) {
		return true
	}
	for _, w := range replies[k] {
		if string(word) == w {
			return true
		}
	}
	return false
}

func isError(word []byte) bool {
	switch string(word) {
	case "ERROR", "CLIENT_ERROR", "SERVER_ERROR":
		return true
	}
	return false
}

// syntax is what a command looks like.
type syntax struct {
	kind     kind
	min, max int  // arguments, noreply not counted; no limit if max is 0 and min is not
	key      int  // argument that is the first key; 0 without one
	many     bool // all arguments from there on are keys
	size     int  // argument that is the length of the data; 0 without data
	numbers  uint // arguments that must be numbers, as bits
	silent   bool // takes noreply
	meta     bool // arguments behind the fixed ones are flags
	shared   bool // other line protocols have the word too
}

// commands are those of the text protocol, as memcached 1.6 has them.
var commands = map[string]syntax{
	"set":            {kind: storage, min: 4, max: 4, key: 1, size: 4, numbers: 0b11100, silent: true},
	"add":            {kind: storage, min: 4, max: 4, key: 1, size: 4, numbers: 0b11100, silent: true},
	"replace":        {kind: storage, min: 4, max: 4, key: 1, size: 4, numbers: 0b11100, silent: true},
	"append":         {kind: storage, min: 4, max: 4, key: 1, size: 4, numbers: 0b11100, silent: true},
	"prepend":        {kind: storage, min: 4, max: 4, key: 1, size: 4, numbers: 0b11100, silent: true},
	"cas":            {kind: storage, min: 5, max: 5, key: 1, size: 4, numbers: 0b111100, silent: true},
	"get":            {kind: retrieval, min: 1, key: 1, many: true, shared: true},
	"gets":           {kind: retrieval, min: 1, key: 1, many: true},
	"gat":            {kind: retrieval, min: 2, key: 2, many: true, numbers: 0b10},
	"gats":           {kind: retrieval, min: 2, key: 2, many: true, numbers: 0b10},
	"delete":         {kind: deletion, min: 1, max: 2, key: 1, numbers: 0b100, silent: true, shared: true},
	"incr":           {kind: counter, min: 2, max: 2, key: 1, numbers: 0b100, silent: true},
	"decr":           {kind: counter, min: 2, max: 2, key: 1, numbers: 0b100, silent: true},
	"touch":          {kind: touch, min: 2, max: 2, key: 1, numbers: 0b100, silent: true},
	"stats":          {kind: statistics, max: 4, shared: true},
	"flush_all":      {kind: fine, max: 1, numbers: 0b10, silent: true},
	"version":        {kind: version, shared: true},
	"verbosity":      {kind: fine, min: 1, max: 1, numbers: 0b10, silent: true},
	"cache_memlimit": {kind: fine, min: 1, max: 1, numbers: 0b10, silent: true},
	"shutdown":       {max: 1, shared: true},
	"quit":           {silent: true, shared: true},
	"slabs":          {kind: slabs, min: 2, max: 3, shared: true},
	"lru":            {kind: fine, min: 1, max: 4, shared: true},
	"lru_crawler":    {kind: crawler, min: 1, max: 3},
	"extstore":       {kind: fine, min: 2, max: 3, shared: true},
	"refresh_certs":  {kind: fine},
	"watch":          {kind: watch, max: 8, shared: true},
	"mg":             {kind: metaGet, min: 1, key: 1, meta: true, shared: true},
	"ms":             {kind: metaSet, min: 2, key: 1, size: 2, numbers: 0b100, meta: true},
	"md":             {kind: metaDelete, min: 1, key: 1, meta: true, shared: true},
	"ma":             {kind: metaArithmetic, min: 1, key: 1, meta: true, shared: true},
	"me":             {kind: metaDebug, min: 1, max: 2, key: 1, shared: true},
	"mn":             {kind: metaNoop, shared: true},
}

// fixed is how many arguments are kept to be looked at.
const fixed = 6

// command is a command line.
type command struct {
	syntax
	name  []byte
	args  [fixed + 1][]byte // by number, from 1 on
	n     int               // arguments, noreply not counted
	rest  []byte            // all of them
	data  int64             // length of the data block
	quiet bool
	key   []byte
	known bool // name and arguments are those of a command
}

// readCommand reads a line without its end.
func readCommand(line []byte) (c command) {
	c.name, c.rest, _ = bytes.Cut(bytes.TrimLeft(line, " "), []byte(" "))
	syn, known := commands[string(c.name[:min(len(c.name), maxName)])]
	c.syntax = syn
	var last []byte
	for word := range bytes.FieldsSeq(c.rest) {
		if c.n++; c.n <= fixed {
			c.args[c.n] = word
		}
		if c.meta && c.n > c.min && word[0] == 'q' && len(word) == 1 {
			c.quiet = true
		}
		last = word
	}
	if c.silent && string(last) == "noreply" {
		c.quiet = true
		c.n--
	}
	if string(c.name) == "quit" {
		c.quiet = true
	}
	c.known = known && c.check()
	if c.syntax.key > 0 && c.n >= c.syntax.key {
		c.key = c.args[c.syntax.key]
	}
	return c
}

// check tells whether the arguments are what the command takes, and finds the
// length of the data.
func (c *command) check() bool {
	limit := c.max
	if c.many || c.meta {
		limit = c.n
	}
	if c.n < c.min || c.n > limit {
		return false
	}
	for i := 1; i <= min(c.n, fixed); i++ {
		if c.numbers>>i&1 == 0 {
			continue
		}
		n, ok := decimal(c.args[i])
		if !ok {
			return false
		}
		if i == c.size {
			if n < 0 || n > maxValue {
				return false
			}
			c.data = n
		}
	}
	if k := c.syntax.key; k > 0 && len(c.args[k]) > maxKey {
		c.data = 0
		return false
	}
	return !c.meta || flags(c.rest, c.min)
}

// flags tells whether the words behind the first n begin with a letter each.
func flags(b []byte, n int) bool {
	for word := range bytes.FieldsSeq(b) {
		if n--; n >= 0 {
			continue
		}
		if f := word[0] | 0x20; f < 'a' || f > 'z' {
			return false
		}
	}
	return true
}

// keys returns how many keys the command names.
func (c *command) keys() int {
	switch {
	case c.syntax.key == 0 || c.n < c.syntax.key:
		return 0
	case c.many:
		return c.n - c.syntax.key + 1
	}
	return 1
}

// flag returns the argument of a flag of a meta command or reply whose flags begin
// behind n words.
func flag(b []byte, n int, letter byte) []byte {
	for word := range bytes.FieldsSeq(b) {
		if n--; n < 0 && word[0] == letter {
			return word[1:]
		}
	}
	return nil
}

// decimal reads a number of at most 20 digits, which may be negative. Those above
// 18 digits are not exact.
func decimal(b []byte) (n int64, ok bool) {
	negative := len(b) > 1 && b[0] == '-'
	if negative {
		b = b[1:]
	}
	if len(b) == 0 || len(b) > 20 {
		return 0, false
	}
	for i, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		if i < 18 {
			n = n*10 + int64(c-'0')
		}
	}
	if negative {
		n = -n
	}
	return n, true
}
