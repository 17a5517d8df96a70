package name

import "github.com/dossier-cdp/dossier/pipelines/identity/attribute/given"

// Known says whether a folded word is a known given name.
func Known(folded string) bool {
	_, ok := given.Find(folded)
	return ok
}

// common says whether a folded word is one of the commonest given names, which nobody writes by a slip of the hand for another.
func common(folded string) bool {
	e, ok := given.Find(folded)
	return ok && e.Class() <= given.Common
}

// IsNickname says whether one folded name is a nickname of the other.
func IsNickname(a, b string) bool { return given.Related(a, b) >= given.Nickname }
