package verbatim

import (
	"regexp"
	"strings"
)

// What is masked, in this order: what is found first is not looked at again. Each pattern begins with something that is rare, so that reading stays fast.
var (
	mailPattern    = regexp.MustCompile(`[\pL\pN._%+\-]{1,64}@[\pL\pN\-]{1,63}(?:\.[\pL\pN\-]{1,63})+`)
	ibanPattern    = regexp.MustCompile(`\b[A-Z]{2}\d{2}(?:[ ]?[A-Z0-9]{4}){2,7}(?:[ ]?[A-Z0-9]{1,3})?\b`)
	nirPattern     = regexp.MustCompile(`\b[12][ ]?\d{2}[ ]?(?:0[1-9]|1[0-2]|[2-9]\d)[ ]?(?:\d{2}|2[AB])[ ]?\d{3}[ ]?\d{3}(?:[ ]?\d{2})?\b`)
	numberPattern  = regexp.MustCompile(`(?:\+|\b00)?\(?\d(?:[ .\-/()]{0,2}\d){6,18}\b`)
	handlePattern  = regexp.MustCompile(`(^|[^\pL\pN_])@[\pL\pN_]{1,50}`)
	streetPattern  = regexp.MustCompile(`(?i)\b\d{1,4}(?: ?(?:bis|ter))?,? (?:rue|avenue|av\.|boulevard|bd|place|chemin|impasse|allée|allee|quai|cours|route|square) [\pL'’\- ]{3,60}?(?:,? \d{5}(?: [\pL\-]+)?|[.,;\n]|$)`)
	roadPattern    = regexp.MustCompile(`\b\d{1,4}[a-zA-Z]? (?:\p{Lu}[\pL'’\-]+ ){1,4}(?:Street|St|Road|Rd|Avenue|Ave|Lane|Ln|Drive|Dr|Close|Court|Way|Crescent|Square)\b`)
	namePattern    = regexp.MustCompile(`((?i:je m['’]appelle|je suis (?:m\.|mme|monsieur|madame)|mon nom est|my name is|i am (?:mr|mrs|ms|dr)\.?|signé|signed)[ :]+)(\p{Lu}[\pL'’\-]+(?: \p{Lu}[\pL'’\-]+){0,3})`)
	titlePattern   = regexp.MustCompile(`\b((?:Monsieur|Madame|Mademoiselle|Mme|Mlle|M\.|Mr\.?|Mrs\.?|Ms\.?|Dr\.?) )(\p{Lu}[\pL'’\-]+(?: \p{Lu}[\pL'’\-]+){0,2})`)
	postcodedPlace = regexp.MustCompile(`\b\d{5} \p{Lu}[\pL\-]+(?:[ \-]\p{Lu}[\pL\-]+)*`)
)

// Mask replaces personal data by what it is: [email], [phone], [card], [iban], [national_id], [handle], [address], [name]. Names are found only where the
// text introduces them (my name is …, Mme …): what it leaves may still tell who somebody is. Masking what is masked changes nothing. A text
// longer than what is read is cut as Read cuts it.
func Mask(text string) string {
	text, _ = bounded(text)
	if strings.IndexByte(text, '@') >= 0 {
		text = mailPattern.ReplaceAllString(text, "[email]")
		text = handlePattern.ReplaceAllString(text, "$1[handle]")
	}
	if strings.ContainsAny(text, "0123456789") {
		text = ibanPattern.ReplaceAllString(text, "[iban]")
		text = streetPattern.ReplaceAllString(text, "[address]")
		text = roadPattern.ReplaceAllString(text, "[address]")
		text = postcodedPlace.ReplaceAllString(text, "[address]")
		text = nirPattern.ReplaceAllString(text, "[national_id]")
		text = numberPattern.ReplaceAllStringFunc(text, maskNumber)
	}
	text = namePattern.ReplaceAllString(text, "$1[name]")
	return titlePattern.ReplaceAllString(text, "$1[name]")
}

// maskNumber tells a card from a phone by the card's check digit (ISO/IEC 7812-1, Luhn). A date stays.
func maskNumber(s string) string {
	digits := make([]byte, 0, 20)
	for i := range len(s) {
		if s[i] >= '0' && s[i] <= '9' {
			digits = append(digits, s[i]-'0')
		}
	}
	if len(digits) == 8 && s[0] != '+' && (strings.Count(s, "/") == 2 || strings.Count(s, "-") == 2 || strings.Count(s, ".") == 2) {
		return s
	}
	if len(digits) >= 13 {
		sum := 0
		for i := range digits {
			d := int(digits[len(digits)-1-i])
			if i%2 == 1 {
				if d *= 2; d > 9 {
					d -= 9
				}
			}
			sum += d
		}
		if sum%10 == 0 {
			return "[card]"
		}
	}
	if len(digits) > 15 {
		return "[number]"
	}
	return "[phone]"
}
