package care

import (
	"strings"
	"unicode"

	"github.com/dossier-cdp/dossier/pipelines/identifier/name"
)

// OnlyThanks says whether a text thanks and asks nothing: "Merci, c'est parfait !", "Thanks, all sorted now." Such a reply neither waits for
// an answer nor opens a case again. It errs on the side of no: a text that has a word which is not known to be polite is a message.
//
// The lists are French and English, with the plain thanks of the neighbours.
func OnlyThanks(text string) bool {
	if len(text) == 0 || len(text) > 400 {
		return false
	}
	if strings.ContainsAny(text, "?") {
		return false
	}
	words := strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	if len(words) > 25 {
		return false
	}
	thanked, unknown := false, 0
	for _, w := range words {
		plain := name.Fold(w)
		switch {
		case thanking[plain]:
			thanked = true
		case polite[plain]:
		case worrying[plain]:
			return false
		default:
			if unknown++; unknown > 1 {
				return false
			}
		}
	}
	// The name of who helped may stand among them.
	return thanked && (unknown == 0 || onlyNameUnknown(words))
}

// onlyNameUnknown says whether what is not known is one word that is written as a name, and not the first.
func onlyNameUnknown(words []string) bool {
	for i, w := range words {
		plain := name.Fold(w)
		if thanking[plain] || polite[plain] {
			continue
		}
		return i > 0 && unicode.IsUpper([]rune(w)[0])
	}
	return false
}

func wordSet(words string) map[string]bool {
	set := map[string]bool{}
	for w := range strings.FieldsSeq(words) {
		set[name.Fold(w)] = true
	}
	return set
}

var thanking = wordSet(`merci mercis remercie remercions remerciements thanks thank thx ty cheers appreciated grateful parfait super génial nickel perfect brilliant great lovely
	excellent awesome danke gracias grazie bedankt obrigado obrigada ok noté reçu`)

var polite = wordSet(`beaucoup bien mille pour votre vos ton ta tes vous te de du d la le les l un une c ce ça cela est c'est tout très et à au aux aide réponse rapide rapidité
	efficacité patience gentillesse retour réactivité service je j suis rassuré rassurée content contente ravi ravie bonne bon journée soirée weekend week end problème réglé réglée
	résolu résolue en ordre avance cordialement amicalement toute équipe également encore voilà oui monsieur madame
	you so very much many for your yours the a an this that it s is i am all my mind at rest sorting sorted sort fixed now quick reply help helping helpful
	kind kindly nice have day evening weekend good well done and again team yes regards best puts of to in everything appreciate really hi hello bonjour bonsoir dear received noted got
	muchas sehr vielen dank mille`)

var worrying = wordSet(`mais pas non toujours jamais aucun aucune rien but not no never still yet however cependant pourtant sauf except unless refund remboursement attends attend wait waiting when quand`)
