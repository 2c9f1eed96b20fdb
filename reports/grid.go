package reports

import (
	"io"
	"slices"
	"strings"

	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/renderer"
	"github.com/olekukonko/tablewriter/tw"
)

// tableWidth is the width of a usual terminal, in columns. Cells wrap; nothing cuts them.
const tableWidth = 80

// columnGap is the number of spaces between columns.
const columnGap = 2

// A grid is a table without lines, as kubectl prints them.
type grid struct {
	header []string // nil for a list of facts
	right  []int    // columns that are numbers
	firm   []string // titles of columns to narrow last: people search for names
	open   bool     // the last column does not wrap: it holds what people copy or search for
	rows   [][]string
}

func (g *grid) add(cells ...string) { g.rows = append(g.rows, cells) }

// drop takes out the columns from to (before) end, which are not in right.
func (g *grid) drop(from, end int) {
	g.header = slices.Delete(g.header, from, end)
	for i := range g.rows {
		g.rows[i] = slices.Delete(g.rows[i], from, end)
	}
}

// write prints the grid. Errors are for w to keep: tablewriter loses them.
func (g *grid) write(w io.Writer) {
	widths := g.widths()
	align := make([]tw.Align, len(widths))
	for i := range align {
		align[i] = tw.AlignLeft
		if slices.Contains(g.right, i) {
			align[i] = tw.AlignRight
		}
	}
	padding := tw.CellPadding{Global: tw.Padding{Right: strings.Repeat(" ", columnGap), Overwrite: true}}
	section := tw.CellConfig{
		Formatting: tw.CellFormatting{AutoWrap: tw.WrapNone, AutoFormat: tw.Off},
		Padding:    padding,
		Alignment:  tw.CellAlignment{PerColumn: align},
	}
	table := tablewriter.NewTable(w,
		tablewriter.WithRenderer(renderer.NewBlueprint(tw.Rendition{
			Borders:  tw.BorderNone,
			Settings: tw.Settings{Lines: tw.LinesNone, Separators: tw.SeparatorsNone},
		})),
		tablewriter.WithConfig(tablewriter.Config{Header: section, Row: section}),
		tablewriter.WithHeaderAutoFormat(tw.Off),
		tablewriter.WithTrimSpace(tw.Off),
	)
	if g.header != nil {
		table.Header(g.header)
	}
	for _, row := range g.rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = strings.Join(wrapCell(cell, widths[i], i), "\n")
		}
		// Append fails for rows of another type alone, and Render for tables
		// without columns.
		_ = table.Append(cells)
	}
	_ = table.Render()
}

// wrapCell wraps the cell of a column. In the first column only the first line of a row starts
// at the edge: else a name could look like a row of its own.
func wrapCell(cell string, width, column int) []string {
	if column > 0 || displayWidth(cell) <= width {
		return wrap(cell, width)
	}
	lines := wrap(cell, width-1)
	for i := range lines[1:] {
		lines[1+i] = " " + lines[1+i]
	}
	return lines
}

// widths shares the width of the table out among the columns: each as wide as its widest cell,
// but narrower for the widest ones if that is too much.
func (g *grid) widths() []int {
	first := g.header
	if first == nil && len(g.rows) > 0 {
		first = g.rows[0]
	}
	widths := make([]int, len(first))
	for i, title := range g.header {
		widths[i] = displayWidth(title)
	}
	least := slices.Clone(widths)
	for _, row := range g.rows {
		for i, cell := range row {
			widths[i] = max(widths[i], displayWidth(cell))
		}
	}
	total := (len(widths) - 1) * columnGap
	for _, w := range widths {
		total += w
	}
	shared := widths
	if g.open {
		// Whatever is done to the others, the last one may go over the edge.
		shared = widths[:len(widths)-1]
		total -= columnGap + widths[len(shared)]
	}
	for ; total > tableWidth; total-- {
		widest := g.widest(shared, least, false)
		if widest < 0 {
			widest = g.widest(shared, least, true)
		}
		if widest < 0 {
			break
		}
		widths[widest]--
	}
	return widths
}

// minColumn is the least width of a column.
const minColumn = 8

// widest is the column with the most width to lose, among those that are firm or among the
// others; -1 if no column has any.
func (g *grid) widest(widths, least []int, firm bool) int {
	widest := -1
	for i, w := range widths {
		is := g.header != nil && slices.Contains(g.firm, g.header[i])
		if is == firm && w > max(least[i], minColumn) && (widest < 0 || w-least[i] > widths[widest]-least[widest]) {
			widest = i
		}
	}
	return widest
}
