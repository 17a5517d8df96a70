package metric

// Text is a sentence in the two languages of the catalogue.
type Text struct{ FR, EN string }

// Statistic is what the rows of a metric come to.
type Statistic uint8

// The statistics.
const (
	// Net is the share of rows that hit (promoters) less the share of those that miss (detractors), in points.
	Net Statistic = iota + 1
	// Share is the share of rows that hit, in percent.
	Share
	// Average is the mean of the values.
	Average
	// Wait is the median of durations, by Kaplan and Meier while some are not over, with the 90th percentile beside it.
	Wait
	// Bands is the share of durations within the last of several limits, with the share of each band beside it.
	Bands
	// Total is the sum of amounts of money in the query's currency. It has no interval: nothing is estimated.
	Total
	// Fraction is the sum of amounts as a share of all there is, in percent. It has no interval either.
	Fraction
	// Excess is the share of rows that hit less the share that was to be expected by rows that match them, in points.
	Excess
	// Composite is made by a formula of its own, of counts and of priors that whoever asks may change. Low and High are no interval of 95 % but the
	// band within which the value lies while every prior stays within its range.
	Composite
	// Corrected is a net score whose known errors of judgement are taken out.
	Corrected
	// Voice is a group's share of the rows of all groups that differ in one dimension alone, in percent.
	Voice
	// Volume is the number of rows that count.
	Volume
	// Bounded is a number of people of which only bounds are known: Low and High are these, and the value is the upper one.
	Bounded
	// Ratio is a sum over another sum, in percent. It has no interval.
	Ratio
)

// Unit is what a figure's value is given in.
type Unit string

// The units.
const (
	Points  Unit = "points"
	Percent Unit = "percent"
	Rating  Unit = "rating"
	Seconds Unit = "seconds"
	Money   Unit = "money" // of the query's currency

	Mentions Unit = "mentions"
	Persons  Unit = "people"
	Reposts  Unit = "reposts" // of a post
)

// Definition is one metric.
type Definition struct {
	Name      string // camelCase: the field of GraphQL's metrics and the word of the command line
	Group     string // reactivity, resolution, satisfaction, complaints, verbatims
	Title     Text
	Is        Text // what it is, one sentence
	For       Text // what it is for
	NotFor    Text // what it is not for
	Formula   string
	Source    string // of the definition
	Statistic Statistic
	Unit      Unit
	Version   int // raised whenever a row or a figure may come out differently

	// Employee marks what employees say: no profile filter, no rows, and complementary suppression.
	Employee bool
	// Lower says that less is better; else more is.
	Lower bool
	// Priors are what a Composite supposes where nothing was measured. A query may set each by its name.
	Priors []Prior

	// Cohort says that the usual reading dates a row by when it began; else by what it measures.
	Cohort bool

	subject subject
	of      string      // condition: which rows of the subject the metric speaks of; others are no exclusions
	happens string      // instant of a row in the reading by event date; NULL: it has not happened
	begins  string      // instant of a row in the reading by cohort
	leave   []exclusion // the first that holds says why a row does not count
	hit     string      // 1, −1 or 0
	value   string      // Int64: microseconds or millionths
	open    string      // condition on rows that nothing leaves out: they are not over
	running string      // their value so far
	hours   string      // the value within open hours; empty: there is none
	limits  []int64     // of Bands, in microseconds, ascending
	marks   []string    // conditions whose rows parts needs to count
	later   string      // condition on rows as of an instant: what happened after it hides how they were
	sums    []string    // Int64: further sums over the rows that count
	parts   func(t Tally) []Part
	uses    []string // further metrics that compose needs
	params  map[string]any
	stampOf func(stamp string) string // what a stamp of the rows is shown as; nil: as it is

	// adapt fits the definition to what the workspace says of itself (Query.Reputation).
	adapt func(d *Definition, q Query)
	// finish makes the figure of one tally, where the statistic alone does not.
	finish func(f *Figure, t Tally)
	// relate makes figures that depend on other groups. figures are those of the tallies, by place.
	relate  func(q Query, tallies []Tally, figures []*Figure)
	compose func(p priors, own Tally, others map[string]Tally) (value float64, parts []Part)
}

// Prior is a supposition with the range in which it is thought to lie, and where it comes from.
type Prior struct {
	Name             string
	Value, Low, High float64
	Of               Text
	Source           string
}

// priors are the values of a definition's priors.
type priors map[string]float64

// exclusion says why a row does not count.
type exclusion struct{ reason, condition string }

// Reasons that are no exclusions of a definition's own.
const (
	reasonOpen       = "open"       // not over: it counts as censored
	reasonSuperseded = "superseded" // the person has answered again since
	reasonLater      = "changed_since"
	reasonOpenHours  = "open_hours_unknown"
)

// reasons explains every reason that a row may be left out for.
var reasons = map[string]Text{
	reasonOpen:          {"pas encore terminé : compté comme durée en cours", "not over yet: counted as a running time"},
	reasonSuperseded:    {"la même personne a répondu depuis", "the same person has answered again since"},
	reasonOpenHours:     {"en cours, et les heures ouvrées écoulées ne sont connues qu'à la réponse", "not over, and open hours are known at the answer only"},
	"employee":          {"réponse d'un employé", "an employee's answer"},
	"no_answer":         {"questionnaire sans réponse", "no answer to the questionnaire"},
	"no_rating":         {"aucune note lisible dans son échelle", "no rating that can be read within its scale"},
	"other_scale":       {"autre échelle que celle de l'instrument", "another scale than the instrument's"},
	"undated":           {"date d'envoi inconnue", "the time of sending is not known"},
	"too_young":         {"trop récent : l'issue n'est pas encore connue", "too young: the outcome is not known yet"},
	"brand_first":       {"la marque a écrit la première", "the brand wrote first"},
	"bot_only":          {"le robot a suffi", "a bot alone took part"},
	"no_inbound":        {"le client n'a rien demandé à un humain", "the customer asked nothing of a human"},
	"no_reply_needed":   {"rien n'attendait de réponse", "nothing waited for a reply"},
	"closed_unanswered": {"dossier clos sans réponse", "its case was closed without a reply"},
	"no_deadline":       {"aucune échéance ne s'applique", "no deadline applies"},
	"not_due":           {"échéance à venir", "not due yet"},
	"short_abandon":     {"abandon bref", "given up within seconds"},
	"callback":          {"rappel demandé", "a call-back was asked for"},
	"voicemail":         {"messagerie vocale", "answering machine"},
	"under_way":         {"appel en cours", "the call is under way"},
	"not_answered":      {"pas de réponse", "not answered"},
	"no_duration":       {"durée absente ou contradictoire", "no duration, or one that contradicts itself"},
	"undeclared":        {"aucune source ne dit si le dossier est résolu", "no source says whether it was resolved"},
	"merged":            {"fusionné dans un autre dossier", "merged into another case"},
	"pending":           {"encore ouvert après un seul contact", "still open after one contact"},
	"not_resolvable":    {"non résoluble au premier niveau", "not resolvable at level one"},
	"never_resolved":    {"jamais résolu", "never resolved"},
	"bad_times":         {"résolu avant d'être ouvert", "resolved before it was opened"},
	"no_flag":           {"l'agent ne l'a pas dit", "the agent did not say"},
	"no_question":       {"aucune question posée", "nothing was asked"},
	"never_a_customer":  {"aucun achat avant la réclamation", "no order before the complaint"},
	"answered_unsent":   {"répondu avant l'envoi", "answered before it was sent"},
	"nothing_to_read":   {"rien qui puisse être lu comme bon ou mauvais", "nothing in it that can be read as good or bad"},
	"follow_up_ongoing": {"suivi de 180 jours incomplet", "the 180 days of follow-up are not over"},
	"no_control":        {"aucun cas comparable", "nothing comparable to match it with"},
	reasonLater:         {"changé depuis d'une façon qui cache l'état d'alors", "changed since in a way that hides how it was then"},
	"cancelled":         {"commande annulée", "the order was cancelled"},
	"no_promise":        {"aucune date promise", "no date was promised"},
	"other_currency":    {"autre devise", "another currency"},
	"own_post":          {"publication de la marque elle-même", "a post of the brand's own"},
	"repost":            {"repartage sans mots propres", "a repost without words of its own"},
	"not_in_panel":      {"hors du panel de la plateforme (section reputation de la configuration)", "not in the platform's panel (section reputation of the configuration)"},
	"no_error_sample":   {"l'erreur du modèle n'est pas mesurée dans cette langue", "the model's error is not measured in this language"},
	"no_audience":       {"la plateforme ne dit rien de l'audience", "the platform says nothing of the audience"},
	"no_denominator":    {"la plateforme ne donne pas ce dénominateur", "the platform does not give this denominator"},
	"no_count":          {"la plateforme ne donne pas ce nombre", "the platform does not give this number"},
	"unpaired":          {"une des deux questions sans réponse lisible de 1 à 5", "one of the two questions has no answer that can be read from 1 to 5"},
	"questionable":      {"réponses contradictoires", "answers that contradict each other"},
	"reverse":           {"le thème n'est pas souhaité", "the theme is rather not wanted"},
	"not_negative":      {"avis de 3 ou plus", "a review of 3 or more"},
}

// Reason explains why a row is left out.
func Reason(code string) Text {
	if t, ok := reasons[code]; ok {
		return t
	}
	return Text{code, code}
}

// Find gives the metric of a name.
func Find(name string) (Definition, bool) {
	for _, d := range catalogue {
		if d.Name == name {
			return d, true
		}
	}
	return Definition{}, false
}

// Catalogue lists every metric, in the order in which people read them.
func Catalogue() []Definition { return append([]Definition(nil), catalogue...) }
