package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"text/tabwriter"
)

// printTable writes rows under a header, its columns aligned.
func printTable(header []string, rows [][]string) error {
	table := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(table, strings.Join(header, "\t"))
	for _, row := range rows {
		fmt.Fprintln(table, strings.Join(row, "\t"))
	}
	return table.Flush()
}

// list is what every command that prints a table does with the lines that a management path answers.
type list struct {
	target
	JSON bool `help:"Print JSON."`
}

// show asks path for lines and prints them: as JSON, or a row each under the header.
func show[Line any](ctx context.Context, l *list, path string, header []string, row func(Line) []string) error {
	api, err := l.client()
	if err != nil {
		return err
	}
	var lines []Line
	if err := api.call(ctx, http.MethodGet, path, nil, &lines); err != nil {
		return err
	}
	if l.JSON {
		return printJSON(lines)
	}
	rows := make([][]string, len(lines))
	for i, line := range lines {
		rows[i] = row(line)
	}
	return printTable(header, rows)
}
