package metric

import (
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/dossier-cdp/dossier/schema"
)

// Values writes a query as the parameters of a URL, without the workspace; what is usual is left out. Values of a filter are repeated under
// where.DIMENSION, priors stand under prior.NAME.
func (q Query) Values() url.Values {
	v := url.Values{}
	for name, t := range map[string]schema.Instant{"from": q.From, "to": q.To, "now": q.Now, "asOf": q.AsOf, "knownAt": q.KnownAt} {
		if t != 0 && (name != "now" || q.AsOf == 0) {
			v.Set(name, t.String())
		}
	}
	if q.Reading != Usual {
		v.Set("reading", map[Reading]string{EventDate: "EVENT_DATE", Cohort: "COHORT"}[q.Reading])
	}
	for _, by := range q.By {
		v.Add("by", string(by))
	}
	for _, key := range q.Keys {
		v.Add("key", key)
	}
	for _, by := range slices.Sorted(maps.Keys(q.Where)) {
		v["where."+string(by)] = slices.Clone(q.Where[by])
	}
	for _, p := range q.Profiles {
		v.Add("profile", p.String())
	}
	if q.Profiles != nil && len(q.Profiles) == 0 {
		v.Set("profile", "none")
	}
	if q.Segments != nil {
		v["segment"] = slices.Clone(q.Segments)
	}
	if q.Latest {
		v.Set("answers", "LATEST")
	}
	if q.OpenHours {
		v.Set("openHours", "true")
	}
	if q.Zone != "" {
		v.Set("zone", q.Zone)
	}
	if q.Within != 0 {
		v.Set("within", strconv.FormatInt(q.Within/1_000_000, 10))
	}
	if q.Window != 0 {
		v.Set("windowDays", strconv.FormatInt(q.Window/day, 10))
	}
	if q.Currency != "" {
		v.Set("currency", q.Currency)
	}
	if q.Budget != 0 {
		v.Set("budget", strconv.FormatFloat(q.Budget, 'f', -1, 64))
	}
	for name, value := range q.Priors {
		v.Set("prior."+name, strconv.FormatFloat(value, 'f', -1, 64))
	}
	return v
}

// ParseValues reads what Values writes. An error is a *Fault.
func ParseValues(v url.Values) (q Query, err error) {
	for name, values := range v {
		one := ""
		if len(values) > 0 {
			one = values[0]
		}
		switch name {
		case "from", "to", "now", "asOf", "knownAt":
			at, err := schema.ParseInstant(one)
			if err != nil {
				return q, fault("%s is a time such as 2026-02-28T09:30:00Z", name)
			}
			*map[string]*schema.Instant{"from": &q.From, "to": &q.To, "now": &q.Now, "asOf": &q.AsOf, "knownAt": &q.KnownAt}[name] = at
		case "reading":
			r, ok := map[string]Reading{"EVENT_DATE": EventDate, "COHORT": Cohort}[one]
			if !ok {
				return q, fault("reading is EVENT_DATE or COHORT")
			}
			q.Reading = r
		case "by":
			for _, by := range values {
				q.By = append(q.By, Dimension(by))
			}
		case "key":
			q.Keys = slices.Clone(values)
		case "profile":
			q.Profiles = []schema.ProfileID{}
			for _, id := range values {
				if id == "none" {
					continue
				}
				p, err := schema.ParsePersonaID(id)
				if err != nil {
					return q, fault("profile is the id of a profile")
				}
				q.Profiles = append(q.Profiles, p)
			}
		case "segment":
			q.Segments = slices.Clone(values)
		case "answers":
			if one != "ALL" && one != "LATEST" {
				return q, fault("answers is ALL or LATEST")
			}
			q.Latest = one == "LATEST"
		case "openHours":
			q.OpenHours = one == "true"
		case "zone":
			q.Zone = one
		case "within", "windowDays":
			n, err := strconv.ParseInt(one, 10, 32)
			if err != nil || n <= 0 {
				return q, fault("%s is a positive number", name)
			}
			if name == "within" {
				q.Within = n * 1_000_000
			} else {
				q.Window = n * day
			}
		case "currency":
			q.Currency = one
		case "budget":
			if q.Budget, err = strconv.ParseFloat(one, 64); err != nil {
				return q, fault("budget is an amount")
			}
		default:
			if prior, ok := strings.CutPrefix(name, "prior."); ok {
				value, err := strconv.ParseFloat(one, 64)
				if err != nil {
					return q, fault("the prior %s is a number of 0 or more", prior)
				}
				if q.Priors == nil {
					q.Priors = map[string]float64{}
				}
				q.Priors[prior] = value
				continue
			}
			by, ok := strings.CutPrefix(name, "where.")
			if !ok {
				return q, fault("there is no parameter %q", name)
			}
			if q.Where == nil {
				q.Where = map[Dimension][]string{}
			}
			q.Where[Dimension(by)] = slices.Clone(values)
		}
	}
	if q.AsOf != 0 && q.Now == 0 {
		q.Now = q.AsOf
	}
	if q.KnownAt != 0 && q.Now == 0 {
		q.Now = q.KnownAt
	}
	return q, nil
}
