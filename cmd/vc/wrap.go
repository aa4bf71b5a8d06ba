package main

import (
	"io"
	"strings"
	"unicode/utf8"
)

const (
	leastColumns = 30  // for which text is wrapped
	mostColumns  = 110 // longer lines are hard to read
)

// wrap fits a page of text, such as a command's help, into so many columns. Paragraphs are filled anew. Of a table's rows the second
// column goes on below itself. Commands to copy stay as they are, however long.
func wrap(text string, columns int) string {
	columns = min(max(columns, leastColumns), mostColumns)
	var b strings.Builder
	var paragraph []string // lines of equal indentation
	second := 0            // where the second column of the only line begins, if that is a table's row
	flush := func() {
		switch {
		case len(paragraph) == 0:
		case second > 0:
			fillRow(&b, paragraph[0], second, columns)
		case isProse(paragraph):
			fill(&b, indentOf(paragraph[0]), indentOf(paragraph[0]), strings.Join(paragraph, " "), columns)
		default:
			for _, line := range paragraph {
				b.WriteString(line + "\n")
			}
		}
		paragraph = nil
	}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, " \t\r\n")
		if second > 0 && indentOf(line) == second { // the row goes on
			paragraph[0] += " " + strings.TrimLeft(line, " ")
			continue
		}
		next := secondColumn(line)
		if line == "" || second > 0 || next > 0 || len(paragraph) > 0 && indentOf(line) != indentOf(paragraph[0]) {
			flush()
		}
		if second = next; line == "" {
			b.WriteByte('\n')
		} else {
			paragraph = append(paragraph, line)
		}
	}
	flush()
	return b.String()
}

func indentOf(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }

// isProse tells sentences from commands and lists.
func isProse(lines []string) bool {
	first, _, _ := strings.Cut(strings.TrimLeft(lines[0], " "), " ")
	last := lines[len(lines)-1]
	return first != "vc" && first != "..." && strings.ContainsAny(last[len(last)-1:], ".:;?!")
}

// secondColumn is where the second column of a table's row begins, 0 for other lines.
func secondColumn(line string) int {
	indent := indentOf(line)
	gap := strings.Index(line[indent:], "  ")
	if gap < 0 || indent == 0 {
		return 0
	}
	return indent + gap + indentOf(line[indent+gap:])
}

// fillRow writes a row whose second column, where there is room for one, goes on below itself.
func fillRow(b *strings.Builder, line string, second, columns int) {
	if second < columns-leastColumns/2 {
		fill(b, indentOf(line), second, line, columns)
		return
	}
	b.WriteString(strings.TrimRight(line[:second], " ") + "\n")
	fill(b, indentOf(line)+4, indentOf(line)+4, line[second:], columns)
}

// fill writes words in lines of so many columns, the first line indented by first, the others by rest. What stands left of rest in
// the first line stays as it is.
func fill(b *strings.Builder, first, rest int, text string, columns int) {
	at := 0
	if rest > first {
		b.WriteString(text[:rest])
		at, text = utf8.RuneCountInString(text[:rest]), text[rest:]
	} else {
		b.WriteString(strings.Repeat(" ", first))
		at = first
	}
	begun := false
	for _, word := range strings.Fields(text) {
		n := utf8.RuneCountInString(word)
		switch {
		case !begun:
		case at+1+n > columns:
			b.WriteString("\n" + strings.Repeat(" ", rest))
			at = rest
		default:
			b.WriteByte(' ')
			at++
		}
		b.WriteString(word)
		at, begun = at+n, true
	}
	b.WriteByte('\n')
}

// wrapping passes text on to a terminal, wrapped, when it is flushed.
type wrapping struct {
	w    io.Writer
	text strings.Builder
}

func (p *wrapping) Write(text []byte) (int, error) { return p.text.Write(text) }

func (p *wrapping) flush() error {
	if p.text.Len() == 0 {
		return nil
	}
	_, err := io.WriteString(p.w, wrap(p.text.String(), columns(p.w)))
	return err
}
