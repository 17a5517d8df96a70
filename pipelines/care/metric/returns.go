package metric

import (
	"math"
	"math/big"

	"github.com/dossier-cdp/dossier/pipelines/care/stat"
)

// returns is what service gives and gives back: gestures, who leaves, who had to go public, and what a complaint is worth.
var returns = []Definition{
	{
		Name: "gestureRate", Group: "gestures", Statistic: Share, Unit: Percent, Version: 1, Lower: true, later: "touched > {asof}",
		Title:   Text{"Part des dossiers avec geste", "Cases with a gesture"},
		Is:      Text{"Part des dossiers dans lesquels un geste commercial a été accordé.", "Share of cases in which a gesture was granted."},
		For:     Text{"Voir où l'on répare, et si on le fait dès le premier contact.", "To see where things are made good, and whether at the first contact."},
		NotFor:  Text{"Juger un agent généreux ; dire que le geste a suffi.", "To judge an agent who gives; to say that the gesture was enough."},
		Formula: "cases with a gesture / cases × 100; beside it the share given once and for all at the first contact, and the share above its agent's limit", Source: "R14, R15; interval: Wilson 1927",
		subject: cases, of: "1", happens: "opened_at", begins: "opened_at", leave: []exclusion{{"merged", "state = 'merged'"}},
		value: "toInt64(gestures) * 1000000", hit: "if(gestures > 0, 1, 0)",
		marks: []string{"gestures > 0 AND isNotNull(once_and_done)", "gestures > 0 AND once_and_done = 1", "gestures > 0 AND has(flags, 'gesture_over_limit')"},
		parts: func(t Tally) []Part {
			return []Part{
				{"onceAndDone", stat.Proportion(mark(t, 1), mark(t, 0)).Scale(100), mark(t, 0)}, {"overLimit", stat.Proportion(mark(t, 2), t.Up).Scale(100), t.Up},
			}
		},
	},
	{
		Name: "gestureSpend", Group: "gestures", Statistic: Total, Unit: Money, Version: 1, Lower: true, later: "touched > {asof}",
		Title:   Text{"Montant des gestes", "Gesture spend"},
		Is:      Text{"Somme des gestes accordés dans une devise, avec ce qu'elle représente d'un budget.", "Sum of the gestures granted in one currency, with how much of a budget it is."},
		For:     Text{"Tenir un budget de gestes.", "To keep to a budget of gestures."},
		NotFor:  Text{"Additionner des devises ; dire ce que les gestes rapportent (complaintRoi).", "To add up currencies; to say what gestures bring back (complaintRoi)."},
		Formula: "sum of the amounts of gestures by cases opened in the period; mean per case with a gesture; share of the budget that is given", Source: "I24; no interval: it is counted; of the mean: Student",
		subject: spent, of: "gestures > 0", happens: "opened_at", begins: "opened_at",
		leave: []exclusion{{"merged", "state = 'merged'"}, {"other_currency", "NOT has(gesture_currencies, {currency})"}},
		value: "toInt64(amount * 1000000)", hit: "0",
	},
	{
		Name: "lateDeliveries", Group: "orders", Statistic: Share, Unit: Percent, Version: 1, Cohort: true, Lower: true,
		Title:   Text{"Livraisons en retard", "Late deliveries"},
		Is:      Text{"Part des commandes livrées après la date promise ; une commande dont la date est passée sans livraison est en retard.", "Share of orders that were delivered after the promised date; one whose date has passed without a delivery is late."},
		For:     Text{"Voir une cause de réclamation avant la réclamation.", "To see a cause of complaints before the complaint."},
		NotFor:  Text{"Mesurer la durée de livraison ; juger une promesse trop longue.", "To measure how long delivery takes; to judge a promise that is too long."},
		Formula: "orders late / orders with a promised date × 100; cancelled ones and those not due left out; a promise without a time of day is kept on its whole day, in UTC", Source: "P20; interval: Wilson 1927",
		subject: deliveries, of: "1", happens: "if(isNull(delivered), promised, delivered)", begins: "placed",
		leave: []exclusion{{"cancelled", "cancelled"}, {"no_promise", "isNull(promised)"}, {"not_due", "isNull(delivered) AND promised >= {now}"}},
		value: "ifNull(micros(delivered) - micros(promised), 0)", hit: "if(isNull(delivered) OR delivered > promised, 1, 0)",
	},
	{
		Name: "channelPremium", Group: "complaints", Statistic: Excess, Unit: Points, Version: 1, Cohort: true, Lower: true,
		Title:   Text{"Prime au canal public", "Channel premium"},
		Is:      Text{"Part des dossiers publics (réseaux sociaux, avis, forum) répondus en 4 heures, moins celle des dossiers privés des mêmes thèmes.", "Share of public cases (social, review, forum) answered within 4 hours, less that of private cases about the same themes."},
		For:     Text{"Savoir si l'on gagne à se plaindre en public, et fermer l'écart.", "To know whether it pays to complain in public, and to close the gap."},
		NotFor:  Text{"Décider de répondre moins vite en public.", "To decide to answer more slowly in public."},
		Formula: "answered within 4 h / public cases − mean over public cases of the same share of private cases of their theme; the same difference of gestures beside it", Source: "P32; intervals: Wilson 1927, Zou and Donner 2008",
		subject: public, of: "is_public = 1", happens: "opened_at", begins: "opened_at",
		leave: []exclusion{{"merged", "state = 'merged'"}, {"no_inbound", "isNull(first_inbound_at)"}, {"too_young", "isNull(first_reply_wait) AND first_inbound_at > {now} - INTERVAL 4 HOUR"}, {"no_control", "controls = 0"}},
		value: "toInt64(round(expected * 1000000))", hit: "quick", marks: []string{"gestures > 0"},
		sums: []string{spreadOf, "round(given / greatest(controls, 1) * 1000000)"},
		parts: func(t Tally) []Part {
			if t.N == 0 || len(t.Sums) < 2 {
				return nil
			}
			seen := stat.Proportion(mark(t, 0), t.N)
			expected, _ := new(big.Rat).SetFrac(t.Sums[1], big.NewInt(1_000_000*t.N)).Float64()
			return []Part{exactly("gesturePremium", (seen.Value-expected)*100, t.N), {"gestures", seen.Scale(100), t.N}, exactly("gesturesExpected", expected*100, t.N)}
		},
	},
	{
		Name: "churnExcess", Group: "complaints", Statistic: Excess, Unit: Points, Version: 2, Cohort: true, Lower: true,
		Title:   Text{"Attrition due à la réclamation, à clients comparables", "Churn after complaint, against matched customers"},
		Is:      Text{"Attrition à 180 jours de ceux qui se sont plaints, moins celle de clients qui ne se sont jamais plaints et qui leur ressemblent : ancienneté, nombre d'achats, dernier achat, mois.", "Churn within 180 days of those who complained, less that of customers who never complained and are like them: tenure, number of orders, last order, month."},
		For:     Text{"Approcher ce que la réclamation change, et non ce qu'étaient déjà les clients.", "To come near what the complaint changes, not what the customers were before."},
		NotFor:  Text{"Prouver une cause : ce qui n'est pas apparié peut encore différer.", "To prove a cause: what is not matched may still differ."},
		Formula: "complainants without an order in 180 days / complainants − mean over them of the same share of matched customers, from the first day of the month", Source: "B4; intervals: Wilson 1927, Zou and Donner 2008; exact matching by strata",
		subject: matched, of: "1", happens: "began", begins: "began",
		leave: []exclusion{{"never_a_customer", "NOT bought_before"}, {"follow_up_ongoing", "began + INTERVAL 180 DAY > {now}"}, {"no_control", "controls = 0"}},
		value: "toInt64(round(expected * 1000000))", hit: "if(bought_later, 0, 1)", sums: []string{spreadOf},
	},
	{
		Name: "valueAtStake", Group: "value", Statistic: Fraction, Unit: Percent, Version: 1, Cohort: true, Lower: true,
		Title:   Text{"Part de valeur qui se plaint", "Share of value that complains"},
		Is:      Text{"Part des achats des douze mois avant la fin de la période qui vient de personnes qui se sont plaintes dans la période.", "Share of the orders of the twelve months before the period's end that come from people who complained in the period."},
		For:     Text{"Savoir ce que pèsent ceux que l'on a déçus, par thème ou par canal.", "To know the weight of those who were let down, by theme or channel."},
		NotFor:  Text{"Trier les personnes : la valeur ne fait passer personne devant une échéance.", "To sort people: value pushes nobody past a deadline."},
		Formula: "sum of complainants' orders / sum of all orders × 100, in one currency, cancelled orders left out; each person by the first complaint of the period", Source: "P2, N11; no interval: it is counted",
		subject: stakes, of: "1", happens: "began", begins: "began",
		value: "toInt64(spend * 1000000)", hit: "0", sums: []string{"toInt64(all_spend * 1000000)"},
	},
	{
		Name: "complaintRoi", Group: "value", Statistic: Composite, Unit: Percent, Version: 1, Cohort: true, Priors: complaintPriors,
		Title:   Text{"Rentabilité du service réclamations", "Return on complaint service"},
		Is:      Text{"Ce que le traitement des réclamations a rapporté (rachats sauvés, bouche-à-oreille) moins son coût, rapporté à son coût.", "What handling complaints has brought (orders saved, word of mouth) less its cost, over its cost."},
		For:     Text{"Discuter d'un budget avec ce que l'on sait et ce que l'on suppose, séparément.", "To discuss a budget by what is known and what is supposed, apart from each other."},
		NotFor:  Text{"Être cité sans sa bande : le rachat de ceux qui se taisent n'est pas observé.", "To be quoted without its band: whether those who keep silent buy again is not observed."},
		Formula: "(Σ complainants of a group × (their repurchase − rNotComplained) × margin × years + (satisfied × kPlus × cPlus − dissatisfied × kMinus × cMinus) × margin × years + avoidedRepeats − cost) / cost × 100; margin = orders of the year before per complainant × marginRate; cost = complainants × serviceCost + gestures",
		Source:  "B5 (TARP, Goodman); low and high: the band of the priors, no 95 % interval",
		subject: outcomes, of: "1", happens: "began", begins: "began",
		leave: []exclusion{{"follow_up_ongoing", "began + INTERVAL 180 DAY > {now}"}},
		value: "toInt64(spend * 1000000)", hit: "if(bought_later, 1, 0)", sums: []string{"toInt64(given * 1000000)"},
		marks: []string{
			"feeling = 'satisfied'", "feeling = 'mollified'", "feeling = 'dissatisfied'", "feeling = ''",
			"feeling = 'satisfied' AND bought_later", "feeling = 'mollified' AND bought_later", "feeling = 'dissatisfied' AND bought_later", "feeling = '' AND bought_later",
		},
		compose: complaintReturn,
	},
	{
		Name: "ror", Group: "value", Statistic: Composite, Unit: Percent, Version: 1, Cohort: true, Priors: relationshipPriors, later: "touched > {asof}",
		Title:   Text{"Retour sur relation (ROR)", "Return on relationship (ROR)"},
		Is:      Text{"Ce que la relation a rapporté (fidélité, recommandation, entraide, presse si on la compte) rapporté à ce qu'elle a coûté, chaque terme montré.", "What the relationship has brought (retention, referral, peers' help, earned media if it is counted) over what it cost, with every part shown."},
		For:     Text{"Voir quels termes portent le résultat, et lesquels ne sont que supposés.", "To see which parts carry the result, and which are only supposed."},
		NotFor:  Text{"Comparer des entreprises : il n'y a pas de formule admise.", "To compare companies: there is no accepted formula."},
		Formula: "(retention + referral + earnedMediaWeight × earnedMedia + peers' help) / (customers' contacts × contactCost + gestures) × 100; retention = −churnExcess × matched complainants × margin × years; referral = promoters × kPlus × cPlus × margin; peers' help = questions first answered by a peer × contactCost",
		Source:  "B5 (the term is Ted Rubin's); low and high: the band of the priors, no 95 % interval; control group: churnExcess",
		subject: kept, of: "contacts > 0", happens: "opened_at", begins: "opened_at", leave: []exclusion{{"merged", "state = 'merged'"}},
		value: "toInt64(contacts) * 1000000", hit: "0", sums: []string{"toInt64(amount * 1000000)"},
		uses: []string{"churnExcess", "complaintRoi", "nps", "forumCoverage"}, compose: relationshipReturn,
	},
}

// spreadOf is what the statistic Excess needs of a row: the variance of its stratum's expected share times the stratum's rows.
const spreadOf = "round(peers * expected * (1 - expected) / greatest(controls, 1) * 1000000000)"

var (
	mouthPriors = []Prior{
		{"kPlus", 3, 1, 5, Text{"à combien un client satisfait en parle", "how many a satisfied customer tells"}, "N1, unverified"},
		{"cPlus", .01, 0, .02, Text{"part de ceux-là qui deviennent clients", "share of these who become customers"}, "B5"},
	}
	marginPrior = Prior{"marginRate", .3, .1, .5, Text{"marge sur le montant des achats", "margin on the amount of orders"}, "to be set by the company"}
	yearsPrior  = Prior{"years", 1, 1, 3, Text{"années pendant lesquelles un client gardé achète", "years for which a customer who stays buys"}, "B5"}

	complaintPriors = append([]Prior{
		{"rNotComplained", .23, .09, .37, Text{"rachat de ceux qui se taisent", "repurchase of those who keep silent"}, "TARP 1979: 9 % to 37 %"},
		marginPrior, yearsPrior,
		{"serviceCost", 10, 5, 20, Text{"coût du traitement d'une réclamation", "cost of handling a complaint"}, "to be set by the company"},
		{"kMinus", 11, 5, 15, Text{"à combien un client mécontent en parle", "how many a dissatisfied customer tells"}, "N1, unverified"},
		{"cMinus", .02, 0, .04, Text{"part de ceux-là qui ne deviennent pas clients", "share of these who stay away"}, "B5"},
		{"avoidedRepeats", 0, 0, 0, Text{"coût des contacts évités, en tout", "cost of the contacts that were avoided, in all"}, "to be set by the company"},
	}, mouthPriors...)
	relationshipPriors = append([]Prior{
		marginPrior, yearsPrior,
		{"contactCost", 6, 3, 12, Text{"coût d'un contact", "cost of a contact"}, "to be set by the company"},
		{"earnedMediaWeight", 0, 0, 0, Text{"poids de la presse obtenue ; 0 : elle n'est pas comptée", "weight of earned media; 0: it is not counted"}, "B5"},
		{"earnedMedia", 0, 0, 0, Text{"valeur de la presse obtenue", "value of earned media"}, "to be set by the company"},
	}, mouthPriors...)
)

// complaintReturn is the return on complaint service, with its terms.
func complaintReturn(p priors, t Tally, _ map[string]Tally) (float64, []Part) {
	if t.N == 0 || len(t.Sums) == 0 {
		return math.NaN(), nil
	}
	n := float64(t.N)
	spend, gestures := amountOf(t.Sum), amountOf(t.Sums[0])
	margin := spend / n * p["marginRate"] * p["years"]
	saved, parts := 0.0, []Part(nil)
	for i, group := range []string{"Satisfied", "Mollified", "Dissatisfied", "Unanswered"} {
		people, again := mark(t, i), mark(t, 4+i)
		if people > 0 {
			saved += (float64(again) - float64(people)*p["rNotComplained"]) * margin
		}
		parts = append(parts, Part{"repurchase" + group, stat.Proportion(again, people).Scale(100), people})
	}
	mouth := (float64(mark(t, 0))*p["kPlus"]*p["cPlus"] - float64(mark(t, 2))*p["kMinus"]*p["cMinus"]) * margin
	cost := n*p["serviceCost"] + gestures
	parts = append(parts, exactly("saved", saved, t.N), exactly("mouth", mouth, t.N), exactly("avoidedRepeats", p["avoidedRepeats"], t.N),
		exactly("service", n*p["serviceCost"], t.N), exactly("gestures", gestures, t.N), exactly("marginPerPerson", margin, t.N))
	if cost <= 0 {
		return math.NaN(), parts
	}
	return (saved + mouth + p["avoidedRepeats"] - cost) / cost * 100, parts
}

// relationshipReturn is the return on relationship, with its terms. A term of which nothing is known is 0 and has no rows.
func relationshipReturn(p priors, t Tally, others map[string]Tally) (float64, []Part) {
	if t.N == 0 || len(t.Sums) == 0 {
		return math.NaN(), nil
	}
	margin, retention, referral, peers := 0.0, 0.0, 0.0, 0.0
	worth, churn, nps, forum := others["complaintRoi"], others["churnExcess"], others["nps"], others["forumCoverage"]
	if worth.N > 0 {
		margin = amountOf(worth.Sum) / float64(worth.N) * p["marginRate"]
	}
	if churn.N > 0 {
		retention = -(float64(churn.Up) - amountOf(churn.Sum)) * margin * p["years"]
	}
	referral = float64(nps.Up) * p["kPlus"] * p["cPlus"] * margin
	peers = float64(mark(forum, 0)) * p["contactCost"]
	media := p["earnedMediaWeight"] * p["earnedMedia"]
	contacts := amountOf(t.Sum)
	gestures := amountOf(t.Sums[0])
	cost := contacts*p["contactCost"] + gestures
	parts := []Part{
		exactly("retention", retention, churn.N), exactly("referral", referral, nps.N), exactly("earnedMedia", media, 0), exactly("peersHelp", peers, forum.N),
		exactly("contacts", contacts, t.N), exactly("contactsCost", contacts*p["contactCost"], t.N), exactly("gestures", gestures, t.N), exactly("marginPerPerson", margin, worth.N),
	}
	if cost <= 0 {
		return math.NaN(), parts
	}
	return (retention + referral + media + peers) / cost * 100, parts
}

// amountOf is a sum of millionths.
func amountOf(sum *big.Int) float64 {
	if sum == nil {
		return 0
	}
	x, _ := new(big.Rat).SetFrac(sum, big.NewInt(1_000_000)).Float64()
	return x
}
