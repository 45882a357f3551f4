package programme

import (
	"fmt"
	"regexp"
	"strings"
)

// This file looks at the lines of a file that YAML does not take, for what
// people do to files by hand: a line that is moved by a blank, and characters of
// an input method where YAML wants its own.

// badIndent tells what a line begins with that looks like blanks.
func badIndent(text string) string {
	rest := strings.TrimLeft(text, " \t\u3000\u00a0")
	indent := text[:len(text)-len(rest)]
	switch at := strings.IndexAny(indent, "\t\u3000\u00a0"); {
	case at < 0 || strings.TrimSpace(rest) == "":
		return ""
	case indent[at] == '\t':
		return "indented by a tab; YAML wants blanks"
	default:
		return "indented by " + called(indent[at:]) + "; YAML wants plain blanks"
	}
}

// slips are what is found: the first wrong indent, and every character that
// only looks like one of YAML's.
func slips(document string) (found []Finding) {
	var o outline
	line, indented := 0, false
	for text := range strings.Lines(document) {
		line++
		text = strings.TrimRight(text, " \r\n")
		inside := o.flow > 0 || o.quote != 0
		if problem := lookalike(text, o.flow > 0, o.quote != 0); problem != "" {
			found = append(found, Finding{Line: line, Problem: problem})
		}
		if !inside {
			if problem := o.place(text); problem != "" && !indented {
				indented = true
				found = append(found, Finding{Line: line, Problem: problem})
			}
		}
		o.pass(text)
	}
	return found
}

var (
	wideColon = regexp.MustCompile("^ *(?:- +)*([A-Za-z_]+) *(?:(\uff1a)|:([\u3000\u00a0]))")
	noBlank   = regexp.MustCompile("^ *(?:- +)*([A-Za-z_]+):[^ \u3000\u00a0]")
	wideInner = regexp.MustCompile("(\uff0c) *[A-Za-z_]+ *[:\uff1a]|[{,] *[A-Za-z_]+ *(\uff1a)")
)

// lookalike names a character where YAML wants another.
func lookalike(text string, flow, inQuotes bool) string {
	if inQuotes {
		return ""
	}
	bare := unquote(text)
	if m := noBlank.FindStringSubmatch(bare); m != nil && !flow {
		return m[1] + ": a blank is wanted behind the colon"
	}
	var c string
	if m := wideColon.FindStringSubmatch(bare); m != nil && !flow {
		c = m[2] + m[3]
	} else if m := wideInner.FindStringSubmatch(bare); m != nil && (flow || strings.ContainsAny(bare, "{[")) {
		c = m[1] + m[2]
	}
	switch c {
	case "":
		return ""
	case "\uff0c":
		return called(c) + "; YAML wants , and a blank"
	}
	return called(c) + " behind a key; YAML wants : and a blank"
}

// unquote blanks out what stands in quotes or in a comment.
func unquote(text string) string {
	out, quote, before := []rune(text), rune(0), ' '
	for i, c := range out {
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
			out[i] = '"'
		case (c == '"' || c == '\'') && opensQuote(before):
			quote, out[i] = c, '"'
		case c == '#' && before == ' ':
			return string(out[:i])
		}
		before = c
	}
	return string(out)
}

// outline is the blocks that are open at a line.
type outline struct {
	open  []block
	flow  int  // brackets that are open
	quote rune // that is open over lines
	text  int  // the least indent of a text in several lines; 0 for none
}

// block is a mapping or a list whose lines begin at a column.
type block struct {
	column      int
	list        bool
	first, last string // keys of a mapping
	wants       bool   // the last key or item has nothing yet
}

// keyed is a key at the beginning of what is left of a line.
var keyed = regexp.MustCompile(`^("[^"]*"|'[^']*'|[^\s#:,\[\]{}"'-][^:#]*?) *:( |$)`)

// place puts a line into the blocks, and tells when it fits into none.
func (o *outline) place(text string) string {
	rest := strings.TrimLeft(text, " ")
	column := len(text) - len(rest)
	if o.inText(text) || rest == "" || rest[0] == '#' || strings.HasPrefix(text, "---") || strings.HasPrefix(text, "...") {
		return ""
	}
	o.text = 0
	for {
		item := rest == "-" || strings.HasPrefix(rest, "- ")
		key := keyed.FindString(rest)
		if !item && key == "" {
			return "" // a text that goes on, or what YAML itself tells
		}
		if problem := o.put(column, item, strings.Trim(key, `: "'`)); problem != "" {
			return problem
		}
		if !item {
			value := strings.TrimSpace(unquote(rest[len(key):]))
			o.open[len(o.open)-1].wants = value == ""
			if strings.HasPrefix(value, "|") || strings.HasPrefix(value, ">") {
				o.text = column + 1
			}
			return ""
		}
		inner := strings.TrimLeft(rest[1:], " ")
		if inner == "" {
			return ""
		}
		column += len(rest) - len(inner)
		rest = inner
	}
}

// inText tells whether a line belongs to a text in several lines.
func (o *outline) inText(text string) bool {
	return o.text > 0 && (text == "" || len(text)-len(strings.TrimLeft(text, " ")) >= o.text)
}

// put opens and closes blocks for a key or an item that begins at a column.
func (o *outline) put(column int, item bool, key string) string {
	n := len(o.open)
	for n > 0 && (o.open[n-1].column > column || o.open[n-1].column == column && o.open[n-1].list && !item) {
		n--
	}
	var top *block
	if n > 0 {
		top = &o.open[n-1]
	}
	switch {
	case top != nil && top.column == column && top.list == item:
		top.last, top.wants = key, true
		o.open = o.open[:n]
	case top == nil && len(o.open) == 0, top != nil && top.wants:
		if top != nil {
			top.wants = false
		}
		o.open = append(o.open[:n], block{column: column, list: item, first: key, last: key, wants: true})
	default:
		return o.misplaced(column, item)
	}
	return ""
}

// misplaced names the block that is nearest to a column: for an item a list, if
// one is open.
func (o *outline) misplaced(column int, item bool) string {
	distance := func(b block) int {
		d := max(b.column-column, column-b.column)
		if b.list != item {
			d += 1_000
		}
		return d
	}
	at := 0
	for i, b := range o.open {
		if distance(b) <= distance(o.open[at]) {
			at = i
		}
	}
	b := o.open[at]
	if b.column == column {
		return "this belongs to neither " + o.named(at) + " nor what is above it; indent it as its neighbours are"
	}
	return fmt.Sprintf("indented by %s; %d %s wanted here, as for %s", blanks(column), b.column, are(b.column), o.named(at))
}

// named is the key next to which something belongs: of a list the first of the
// item before it.
func (o *outline) named(at int) string {
	if !o.open[at].list {
		return o.open[at].last
	}
	if at+1 < len(o.open) && o.open[at+1].first != "" {
		return o.open[at+1].first
	}
	return "the item before"
}

func blanks(n int) string {
	if n == 1 {
		return "1 blank"
	}
	return fmt.Sprintf("%d blanks", n)
}

func are(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

// pass goes over a line's brackets and quotes.
func (o *outline) pass(text string) {
	if o.inText(text) {
		return
	}
	before := ' '
	for _, c := range text {
		switch {
		case o.quote != 0:
			if c == o.quote {
				o.quote = 0
			}
		case (c == '"' || c == '\'') && opensQuote(before):
			o.quote = c
		case c == '#' && before == ' ':
			return
		case (c == '[' || c == '{') && (o.flow > 0 || before == ' '):
			o.flow++
		case (c == ']' || c == '}') && o.flow > 0:
			o.flow--
		}
		before = c
	}
}

// opensQuote tells whether a quote behind a character begins a text.
func opensQuote(before rune) bool { return strings.ContainsRune(" [{,:\uff1a\uff0c", before) }
