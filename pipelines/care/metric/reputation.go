package metric

import (
	"fmt"
	"math"
	"math/big"
	"slices"
	"strings"

	"github.com/dossier-cdp/dossier/pipelines/care/stat"
	"github.com/dossier-cdp/dossier/pipelines/reputation"
)

// mentions are public posts about a brand, each by its latest version.
var mentions = subject{
	name: "mention", event: "event", stamp: stamp{"model", "model"},
	from: "SELECT * FROM current_mentions WHERE workspace = {workspace:String}",
	dimensions: map[Dimension]string{
		Channel: "channel", Platform: "platform", Brand: "brand", Store: "store", Product: "product", Source: "source", Language: "language", Country: "country",
		Polarity: "polarity", Judge: "judge", Own: ownPost,
	},
}

// voices are the same, told apart by the platform whose panel counts.
var voices = func() subject {
	s := mentions
	s.stamp = stamp{"panel", "platform"}
	return s
}()

// reviews are published reviews with the company's answer.
var answeredReviews = subject{
	name: "review", event: "event",
	from: `SELECT s.*, toUInt8(1) AS answered, c.first_reply_at AS replied_at
  FROM (SELECT * FROM current_surveys WHERE workspace = {workspace:String} AND type = 'review.published') AS s
  ANY LEFT JOIN (SELECT id, first_reply_at FROM current_conversations WHERE workspace = {workspace:String} AND isNotNull(first_reply_at)) AS c ON c.id = s.conversation`,
	dimensions: heard(map[Dimension]string{Touchpoint: "touchpoint"}),
}

const (
	ownPost  = "if(own = 1, 'yes', 'no')"
	reached  = "if(reach >= 0, reach, greatest(impressions, followers))"
	acted    = "greatest(applause, 0) + greatest(conversation, 0) + greatest(amplification, 0)"
	toneHit  = "multiIf(polarity = 'favourable', 1, polarity = 'unfavourable', -1, 0)"
	millions = "1000000 * "
)

var ownIsNoVoice = []exclusion{{"own_post", "own = 1"}}

// spoken is what is said in public.
var spoken = []Definition{
	{
		Name: "mentionVolume", Group: "reputation", Statistic: Volume, Unit: Mentions, Version: 1,
		Title:   Text{"Mentions", "Mentions"},
		Is:      Text{"Nombre de publications d'autrui qui parlent d'une marque, chacune par sa dernière version, repartages compris.", "Number of posts by others that speak of a brand, each by its latest version, reposts included."},
		For:     Text{"Suivre combien l'on parle de nous, par marque, plateforme et jour.", "To follow how much we are spoken of, by brand, platform and day."},
		NotFor:  Text{"Mesurer l'estime : une crise fait parler, elle aussi.", "To measure esteem: a crisis makes people talk, too."},
		Formula: "posts; beside it the share of reposts", Source: "B6; counted, no interval",
		subject: mentions, of: "1", happens: "occurred_at", begins: "occurred_at", leave: ownIsNoVoice,
		value: "toInt64(1000000)", hit: "if(repost = 1, 1, 0)",
		parts: func(t Tally) []Part { return []Part{{"reposts", stat.Proportion(t.Up, t.N).Scale(100), t.N}} },
	},
	{
		Name: "mentionSentiment", Group: "reputation", Statistic: Net, Unit: Points, Version: 1,
		Title:   Text{"Ton des mentions", "Tone of mentions"},
		Is:      Text{"Part favorable moins part défavorable des mentions, telles qu'elles ont été jugées : par une personne, sinon par la source, sinon par le modèle.", "Favourable less unfavourable share of mentions, as they were judged: by a person, else by their source, else by the model."},
		For:     Text{"Voir le ton brut et compter favorables, neutres et défavorables.", "To see the tone as it was judged, and to count favourable, neutral and unfavourable ones."},
		NotFor:  Text{"Comparer des langues que le modèle lit plus ou moins bien (netSentiment corrige cela).", "To compare languages that the model reads better or worse (netSentiment corrects that)."},
		Formula: "(favourable − unfavourable) / judged mentions × 100; beside it the same over favourable and unfavourable ones alone", Source: "B6; interval: Rocks 2016",
		subject: mentions, of: "1", happens: "occurred_at", begins: "occurred_at", leave: and(ownIsNoVoice, exclusion{"nothing_to_read", "polarity = ''"}),
		value: "toInt64(0)", hit: toneHit, parts: toneParts,
	},
	{
		Name: "netSentiment", Group: "reputation", Statistic: Corrected, Unit: Points, Version: 1,
		Title:   Text{"Sentiment net corrigé", "Net sentiment, corrected"},
		Is:      Text{"Part favorable moins part défavorable des mentions, les erreurs connues du modèle retirées ; ce que des personnes ou la source ont jugé compte tel quel.", "Favourable less unfavourable share of mentions with the model's known errors taken out; what people or the source have judged counts as it is."},
		For:     Text{"Comparer des marques, des jours et des langues sans l'erreur de lecture.", "To compare brands, days and languages without the error of reading."},
		NotFor:  Text{"Juger un texte ; des langues dont l'erreur n'est pas mesurée (elles sont écartées).", "To judge a text; languages whose error is not measured (they are left out)."},
		Formula: "(favourable − unfavourable) / judged mentions × 100 after the confusion matrix of each language is inverted; beside it the shares, and the figure as judged",
		Source:  "Rogan and Gladen 1978, with three classes Buonaccorsi 2010; errors: the model's on labelled tweets, or the configuration's; interval: delta method",
		subject: mentions, of: "1", happens: "occurred_at", begins: "occurred_at",
		leave: and(ownIsNoVoice, exclusion{"nothing_to_read", "polarity = ''"}, exclusion{"no_error_sample", "judge = 'model' AND language NOT IN {languages:Array(String)}"}),
		value: "toInt64(0)", hit: toneHit, adapt: corrected,
	},
	{
		Name: "shareOfVoice", Group: "reputation", Statistic: Voice, Unit: Percent, Version: 1,
		Title:   Text{"Part de voix", "Share of voice"},
		Is:      Text{"Part des mentions d'un panel de marques, figé par plateforme, qui parlent de chacune ; sans BRAND, de nos propres marques.", "Share of the mentions of a panel of brands, locked for each platform, that speak of each; without BRAND, of our own brands."},
		For:     Text{"Suivre notre place parmi des concurrents nommés, plateforme par plateforme.", "To follow our place among named competitors, platform by platform."},
		NotFor:  Text{"Mêler des plateformes ou deux panels : ce sont des séries différentes.", "To mix platforms or two panels: those are different series."},
		Formula: "mentions of the brand / mentions of all brands of the panel × 100; reposts and brands' own accounts left out", Source: "B6; interval: Wilson 1927",
		subject: voices, of: "1", happens: "occurred_at", begins: "occurred_at",
		leave: and(ownIsNoVoice, exclusion{"repost", "repost = 1"}), value: "toInt64(0)", hit: "0", adapt: panelled, relate: share,
	},
	{
		Name: "mentionReach", Group: "reputation", Statistic: Bounded, Unit: Persons, Version: 1,
		Title:   Text{"Portée", "Reach"},
		Is:      Text{"Combien de personnes ont vu au plus un ensemble de publications ; au moins celles de la plus vue.", "How many people have seen a set of posts at most; at least those of the one that most have seen."},
		For:     Text{"Borner ce qu'une plateforme ne dédoublonne pas, et voir ce qui est mesuré ou estimé.", "To bound what a platform does not count each once, and to see what is measured or estimated."},
		NotFor:  Text{"Être lu comme un total : les mêmes personnes voient plusieurs publications.", "To be read as a total: the same people see several posts."},
		Formula: "upper bound: sum of the reach of posts, measured, else estimated by impressions or followers; lower bound: the largest measured reach of one. Low and high are these bounds",
		Source:  "B6; bounds, no interval of 95 %",
		subject: mentions, of: "1", happens: "occurred_at", begins: "occurred_at",
		leave: []exclusion{{"no_audience", reached + " < 0"}}, value: millions + reached, hit: "if(reach >= 0, 1, 0)", sums: []string{"max greatest(reach, 0)"},
	},
	engagement("engagementByReach", "reach", Text{"Engagement par personne touchée", "Engagement by reach"}, Text{"personne touchée", "person reached"}),
	engagement("engagementByImpressions", "impressions", Text{"Engagement par affichage", "Engagement by impression"}, Text{"affichage", "impression"}),
	engagement("engagementByFollowers", "followers", Text{"Engagement par abonné", "Engagement by follower"}, Text{"abonné de l'auteur", "follower of the author"}),
	{
		Name: "amplification", Group: "reputation", Statistic: Average, Unit: Reposts, Version: 1,
		Title:   Text{"Amplification", "Amplification"},
		Is:      Text{"Nombre moyen de repartages d'une publication, parmi celles dont la plateforme le dit.", "Mean number of reposts of a post, of those of which the platform tells it."},
		For:     Text{"Voir ce qui se transmet.", "To see what is passed on."},
		NotFor:  Text{"Comparer des plateformes où repartager ne coûte pas le même geste.", "To compare platforms where passing on takes another gesture."},
		Formula: "sum of reposts / posts; beside it the share of posts passed on at all", Source: "B6 (Kaushik); interval: Student",
		subject: mentions, of: "1", happens: "occurred_at", begins: "occurred_at",
		leave: []exclusion{{"no_count", "amplification < 0"}}, value: millions + "greatest(amplification, 0)", hit: "if(amplification > 0, 1, 0)",
		parts: func(t Tally) []Part { return []Part{{"passedOn", stat.Proportion(t.Up, t.N).Scale(100), t.N}} },
	},
	{
		Name: "notoriety", Group: "reputation", Statistic: Share, Unit: Percent, Version: 1,
		Title:   Text{"Notoriété", "Notoriety"},
		Is:      Text{"Part des réponses à « connaissez-vous cette marque ? » (0 ou 1) qui disent oui.", "Share of the answers to \"do you know this brand?\" (0 or 1) that say yes."},
		For:     Text{"Suivre combien nous connaissent, hors de nos seuls clients.", "To follow how many know us, beyond our own customers."},
		NotFor:  Text{"Être déduite des abonnés ou du bruit (mentionVolume).", "To be inferred from followers or from talk (mentionVolume)."},
		Formula: "answers of 1 / answers × 100", Source: "I17; interval: Wilson 1927",
		subject: surveys, of: "instrument = 'notoriety'", happens: "answered_at", begins: "ifNull(sent_at, answered_at)",
		leave: and(noRating, scale(0, 1)), value: millionths, hit: "if(rating >= 1, 1, 0)", later: "touched > {asof}",
	},
	{
		Name: "reviewReplies", Group: "reputation", Statistic: Share, Unit: Percent, Version: 1, Cohort: true,
		Title:   Text{"Droit de réponse aux avis", "Right of reply to reviews"},
		Is:      Text{"Part des avis de 1 ou 2 auxquels l'entreprise a répondu en public.", "Share of reviews of 1 or 2 that the company answered in public."},
		For:     Text{"Voir à quels avis négatifs une réponse manque : ce sont les lignes sans succès.", "To see which negative reviews lack a reply: the rows that do not hit."},
		NotFor:  Text{"Faire retirer des avis.", "To have reviews taken down."},
		Formula: "negative reviews with a reply / negative reviews × 100", Source: "B6; interval: Wilson 1927",
		subject: answeredReviews, of: "1", happens: "answered_at", begins: "answered_at",
		leave: and(noRating, scale(1, 5), exclusion{"not_negative", "rating > 2"}), value: "toInt64(0)", hit: "if(isNotNull(replied_at), 1, 0)",
	},
}

// engagement is a rate over one denominator; one by another cannot be compared with it, so each is a metric of its own.
func engagement(name, over string, title, each Text) Definition {
	d := Definition{
		Name: name, Group: "reputation", Statistic: Ratio, Unit: Percent, Version: 1,
		Title: title,
		Is: Text{"Réactions, réponses et repartages pour 100 " + plural(each.FR) + ", somme sur somme, parmi les publications qui disent les deux.",
			"Applause, replies and reposts for 100 " + plural(each.EN) + ", sum over sum, of the posts that state both."},
		For:     Text{"Comparer des publications d'une même plateforme ; OWN sépare les nôtres.", "To compare posts of one platform; OWN tells ours apart."},
		NotFor:  Text{"Comparer avec un taux d'un autre dénominateur ; clics et enregistrements sont comptés à part.", "To compare with a rate over another denominator; clicks and saves are counted apart."},
		Formula: "Σ (applause + replies + reposts) / Σ " + over + " × 100; each kind over the posts that state it", Source: "B6 (Kaushik); counted, no interval",
		subject: mentions, of: "1", happens: "occurred_at", begins: "occurred_at",
		leave: []exclusion{{"no_denominator", over + " <= 0"}, {"no_count", "greatest(applause, conversation, amplification) < 0"}},
		value: millions + "(" + acted + ")", hit: "0", sums: []string{over},
	}
	for _, kind := range engagements {
		d.sums = append(d.sums, "greatest("+kind+", 0)", "if("+kind+" >= 0, "+over+", 0)")
	}
	return d
}

// engagements are the kinds of interaction that stand beside a rate.
var engagements = []string{"applause", "conversation", "amplification", "clicks", "saves"}

func plural(each string) string {
	first, rest, more := strings.Cut(each, " ")
	if !more {
		return first + "s"
	}
	if first == "person" {
		return "people " + rest
	}
	if rest == "touchée" {
		rest += "s"
	}
	return first + "s " + rest
}

// toneParts are the shares of the three polarities, and the net share among those that take a side.
func toneParts(t Tally) []Part {
	decided := stat.Proportion(t.Up, t.Up+t.Down)
	if decided.Known() {
		decided = stat.Estimate{Value: 2*decided.Value - 1, Low: 2*decided.Low - 1, High: 2*decided.High - 1}
	}
	return append(netParts("favourable", "neutral", "unfavourable")(t), Part{"ofDecided", decided.Scale(100), t.Up + t.Down})
}

// settings are those that the query is asked under.
func (q Query) settings() *reputation.Settings {
	if q.Reputation == nil {
		return reputation.DefaultSettings()
	}
	return q.Reputation
}

// corrected counts what the model judged by language and polarity.
func corrected(d *Definition, q Query) {
	languages := q.settings().Languages()
	d.params = map[string]any{"languages": languages}
	d.marks = nil
	for i, language := range languages {
		name := "language" + itoa(i)
		d.params[name] = language
		for _, polarity := range []string{"favourable", "neutral", "unfavourable"} {
			d.marks = append(d.marks, "judge = 'model' AND language = {"+name+":String} AND polarity = '"+polarity+"'")
		}
	}
	errors := q.settings().Errors
	d.finish = func(f *Figure, t Tally) {
		judged := map[string]reputation.Tally{}
		certain := reputation.Tally{Favourable: t.Up, Unfavourable: t.Down, Neutral: t.N - t.Up - t.Down}
		for i, language := range languages {
			of := reputation.Tally{Favourable: mark(t, 3*i), Neutral: mark(t, 3*i+1), Unfavourable: mark(t, 3*i+2)}
			judged[language] = of
			certain.Favourable, certain.Neutral, certain.Unfavourable = certain.Favourable-of.Favourable, certain.Neutral-of.Neutral, certain.Unfavourable-of.Unfavourable
		}
		out, err := reputation.Combine(certain, judged, errors)
		if err != nil || t.N == 0 {
			return // Unreachable: settings hold no matrix that cannot be inverted
		}
		f.Estimate, f.Numerator = out.Net.Scale(100), nil
		f.Parts = append(f.Parts,
			Part{"favourable", out.Favourable.Scale(100), t.N}, Part{"neutral", out.Neutral.Scale(100), t.N}, Part{"unfavourable", out.Unfavourable.Scale(100), t.N},
			Part{"asJudged", stat.NetScore(t.Up, t.Down, t.N).Scale(100), t.N}, Part{"byModel", stat.Proportion(t.N-certain.Judged(), t.N).Scale(100), t.N})
	}
}

// panelled leaves out what is of no panel, and marks what is of one's own brands.
func panelled(d *Definition, q Query) {
	s := q.settings()
	d.params = map[string]any{"own": append([]string{}, s.Own...)}
	d.hit = "if(brand IN {own:Array(String)}, 1, 0)"
	listed := []string{"0"}
	for i, p := range s.Panels {
		platform, brands := "platform"+itoa(i), "brands"+itoa(i)
		d.params[platform], d.params[brands] = p.Platform, p.Brands
		listed = append(listed, fmt.Sprintf("platform = {%s:String} AND brand IN {%s:Array(String)}", platform, brands))
	}
	outside := exclusion{"not_in_panel", "NOT (" + strings.Join(listed, " OR ") + ")"}
	d.leave = append([]exclusion{outside}, d.leave...)
	d.stampOf = func(platform string) string {
		p, _ := s.Panel(platform)
		return platform + "@" + p.Lock()
	}
}

// share makes shares of voice: of a brand among all groups that differ from its in the brand alone; without brands, of one's own. Where several platforms are in one
// figure there is none.
func share(q Query, tallies []Tally, figures []*Figure) {
	at := slices.Index(q.By, Brand)
	others := func(keys []string) string {
		rest := slices.Clone(keys)
		if at >= 0 && at < len(rest) {
			rest[at] = ""
		}
		return strings.Join(rest, "\x00")
	}
	total, platforms := map[string]int64{}, map[string][]string{}
	for _, t := range tallies {
		if !t.Whole {
			k := others(t.Keys)
			total[k], platforms[k] = total[k]+t.N, append(platforms[k], t.Calendars...)
		}
	}
	own := len(q.settings().Own) > 0
	for i, t := range tallies {
		f := figures[i]
		up, n, seen, told := t.Up, t.N, t.Calendars, own
		if !t.Whole && at >= 0 {
			up, n, seen, told = t.N, total[others(t.Keys)], platforms[others(t.Keys)], true
		}
		slices.Sort(seen)
		f.Estimate, f.Numerator, f.Denominator = stat.None(), nil, n
		if told && t.N > 0 && len(slices.Compact(slices.Clone(seen))) == 1 {
			f.Estimate, f.Numerator = stat.Proportion(up, n).Scale(100), big.NewRat(up, 1)
		}
	}
}

// volume is how many there are.
func volume(f *Figure, t Tally) {
	f.Numerator = big.NewRat(t.N, 1)
	if t.N > 0 {
		f.Estimate = stat.Estimate{Value: float64(t.N), Low: math.Inf(-1), High: math.Inf(1)}
	}
}

// bounded makes the bounds of a reach: the sum from above, the largest measured one from below.
func bounded(f *Figure, t Tally) {
	if t.N == 0 || len(t.Sums) == 0 {
		return
	}
	f.Numerator = new(big.Rat).SetFrac(t.Sum, big.NewInt(1_000_000))
	most, _ := f.Numerator.Float64()
	least, _ := new(big.Float).SetInt(t.Sums[0]).Float64()
	f.Estimate = stat.Estimate{Value: most, Low: least, High: most}
	f.Parts = append(f.Parts, exactly("measured", float64(t.Up), t.N), exactly("estimated", float64(t.N-t.Up), t.N), exactly("largest", least, t.Up))
}

// ratio makes the sum of values over the first further sum, and beside it each kind of interaction over what the rows that state it have of that.
func ratio(f *Figure, t Tally) {
	if t.N == 0 || len(t.Sums) != 1+2*len(engagements) || t.Sums[0].Sign() == 0 {
		return
	}
	f.Numerator = new(big.Rat).SetFrac(t.Sum, big.NewInt(1_000_000))
	rate := func(of *big.Rat, over *big.Int) float64 {
		x, _ := new(big.Rat).Quo(of, new(big.Rat).SetInt(over)).Float64()
		return 100 * x
	}
	f.Estimate = stat.Estimate{Value: rate(f.Numerator, t.Sums[0]), Low: math.Inf(-1), High: math.Inf(1)}
	over, _ := new(big.Float).SetInt(t.Sums[0]).Float64()
	f.Parts = append(f.Parts, exactly("over", over, t.N))
	for i, kind := range engagements {
		if of := t.Sums[2+2*i]; of.Sign() > 0 {
			f.Parts = append(f.Parts, exactly(kind, rate(new(big.Rat).SetInt(t.Sums[1+2*i]), of), t.N))
		}
	}
}
