package main

import "github.com/dossier-cdp/dossier/pipelines/verbatim"

// verbatims says how texts are read.
type verbatims struct{ i *installation }

// Themes gives the tree in force.
func (v verbatims) Themes(string) []verbatim.Theme {
	return v.i.configuration.current.Load().Verbatim.Tree.Themes
}
