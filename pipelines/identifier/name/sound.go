package name

import "github.com/dossier-cdp/dossier/pipelines/identity/attribute/sound"

// Sound is the phonetic key of a folded name as the French say it; words count as one.
func Sound(folded string) string { return sound.French(folded) }

// Skeleton is a coarser key: the first sound and the consonants after it. Most typos keep it, so it counts how many different names there
// are.
func Skeleton(folded string) string { return sound.FrenchSkeleton(folded) }
