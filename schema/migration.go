package schema

// Migration is one step of the ClickHouse DDL. Steps are added, never edited.
type Migration struct {
	Number int
	Name   string
	SQL    string // one statement
}
