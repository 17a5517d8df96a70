package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/google/uuid"
)

// identifierArgument is KIND:VALUE on the command line.
type identifierArgument struct{ Kind, Value string }

func (i *identifierArgument) UnmarshalText(text []byte) error {
	kind, value, ok := strings.Cut(string(text), ":")
	if !ok || kind == "" || value == "" {
		return errors.New("want KIND:VALUE, such as email:anna@example.com or phone:+33612345678")
	}
	i.Kind, i.Value = kind, value
	return nil
}

func (i identifierArgument) variables() map[string]any {
	return map[string]any{"kind": i.Kind, "value": i.Value}
}

type showCommand struct {
	target
	Identifier identifierArgument `arg:"" help:"KIND:VALUE, such as email:anna@example.com."`
	First      int                `default:"20" help:"So many interactions of the timeline."`
	AsOf       string             `name:"as-of" help:"As if nothing had happened after this time. RFC 3339." placeholder:"TIME"`
	KnownAt    string             `name:"known-at" help:"What was known by this time: what the log had recorded, under the configuration of then. RFC 3339." placeholder:"TIME"`
	JSON       bool               `help:"Print the whole dossier as JSON."`
}

func (showCommand) Help() string {
	return `Example: dossier show email:anna@example.com
         dossier show email:anna@example.com --known-at 2026-01-01T00:00:00Z

Several owners are listed, with exit code 3. As of another time the household is left out, and the answer says how far history reaches back and how
many decisions to erase there were since: who was erased is in no answer any more.`
}

type dossierView struct {
	Profile struct {
		ID                        string
		Known, Quarantined        bool
		FirstContact, LastContact string
	}
	GoldenRecord []struct {
		Name, Source, Time, Assurance string
		Value                         any
		RunnersUp                     []struct {
			Value                   any
			Source, Time, Assurance string
		}
	}
	Identifiers []struct {
		Kind, Value, Assurance, FirstSeen, LastSeen string
		Sources                                     []string
	}
	Personas []struct{ ID, Source, Trust, AccountKind, Account string }
	Consents []struct {
		Kind, Value, Channel, Purpose, State, Reason, Source, Time string
		Allowed                                                    bool
	}
	Timeline struct {
		TotalCount int
		Edges      []struct {
			Node struct {
				ID, Type, Channel, Actor, Source, OccurredAt           string
				Name, Text, Entity, Conversation, Case, Rating, Amount *string
				Currency                                               *string
			}
		}
	}
	Household *struct {
		Residents []struct {
			Profile struct{ ID string }
			Shares  []string
		}
	}
	PossibleMatches []struct {
		Profile, Reason string
		Kinds           []string
		Probability     *float64
	}
	History *struct {
		AsOf, KnownAt, ReachesBack *string
		Configuration              string
		ErasedSince                int
	}
}

const dossierFields = `profile { id known quarantined firstContact lastContact }
 goldenRecord { name value source time assurance runnersUp { value source time assurance } }
 identifiers { kind value assurance sources firstSeen lastSeen }
 personas { id: persona source trust accountKind account }
 consents { kind value channel purpose state allowed reason source time }
 timeline(first: $first) { totalCount edges { node { id type channel actor source occurredAt name text entity conversation case rating amount currency } } }
 possibleMatches { profile reason kinds probability } history { asOf knownAt reachesBack configuration erasedSince }`

const householdFields = ` household { residents { profile { id } shares } }`

func (c *showCommand) Run(ctx context.Context) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	var answer struct{ Dossiers []dossierView }
	variables, fields := map[string]any{"identifier": c.Identifier.variables(), "first": c.First}, dossierFields
	if c.AsOf != "" {
		variables["asOf"] = c.AsOf
	}
	if c.KnownAt != "" {
		variables["knownAt"] = c.KnownAt
	}
	if c.AsOf == "" && c.KnownAt == "" {
		fields += householdFields
	}
	err = api.query(ctx, `query($identifier: IdentifierInput!, $first: Int, $asOf: Time, $knownAt: Time) { dossiers(identifier: $identifier, asOf: $asOf, knownAt: $knownAt) { `+fields+` } }`,
		variables, &answer)
	if err != nil {
		return err
	}
	switch len(answer.Dossiers) {
	case 0:
		if c.KnownAt != "" {
			return &exit{exitFailed, fmt.Errorf("nobody was known to own this %s at %s", c.Identifier.Kind, c.KnownAt)}
		}
		return &exit{exitFailed, fmt.Errorf("nobody owns this %s", c.Identifier.Kind)}
	case 1:
		if c.JSON {
			return printJSON(answer.Dossiers[0])
		}
		return answer.Dossiers[0].print()
	}
	if c.JSON {
		if err := printJSON(answer.Dossiers); err != nil {
			return err
		}
	} else {
		for _, d := range answer.Dossiers {
			fmt.Printf("%s  %d personas, %d interactions, last contact %s\n", d.Profile.ID, len(d.Personas), d.Timeline.TotalCount, d.Profile.LastContact)
		}
	}
	return &exit{exitAmbiguous, fmt.Errorf("%d profiles own this %s; show one by profile:ID", len(answer.Dossiers), c.Identifier.Kind)}
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func (d *dossierView) print() error {
	fmt.Printf("profile  %s  (%s to %s)\n", d.Profile.ID, d.Profile.FirstContact, d.Profile.LastContact)
	if d.Profile.Quarantined {
		fmt.Println("quarantined: the evidence around this person grew past the size limit; only sure joins hold")
	}
	if h := d.History; h != nil {
		fmt.Printf("as of %s, known at %s; history reaches back to %s; decisions to erase since: %d\n",
			cmp.Or(text(h.AsOf), "now"), cmp.Or(text(h.KnownAt), "now"), text(h.ReachesBack), h.ErasedSince)
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(table, "\nTRAIT\tVALUE\tSOURCE\tTIME\tASSURANCE\tRUNNERS-UP")
	for _, t := range d.GoldenRecord {
		var others []string
		for _, r := range t.RunnersUp {
			others = append(others, fmt.Sprintf("%v (%s)", r.Value, r.Source))
		}
		fmt.Fprintf(table, "%s\t%v\t%s\t%s\t%s\t%s\n", t.Name, t.Value, t.Source, t.Time, t.Assurance, strings.Join(others, ", "))
	}
	fmt.Fprintln(table, "\nIDENTIFIER\tVALUE\tASSURANCE\tSOURCES\tLAST SEEN")
	for _, i := range d.Identifiers {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", i.Kind, i.Value, i.Assurance, strings.Join(i.Sources, ", "), i.LastSeen)
	}
	fmt.Fprintln(table, "\nPERSONA\tSOURCE\tTRUST\tACCOUNT")
	for _, p := range d.Personas {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s %s\n", p.ID, p.Source, p.Trust, p.AccountKind, p.Account)
	}
	if len(d.Consents) > 0 {
		fmt.Fprintln(table, "\nCONSENT\tCHANNEL\tCONTACT POINT\tSTATE\tALLOWED\tSINCE")
		for _, c := range d.Consents {
			allowed := "no: " + c.Reason
			if c.Allowed {
				allowed = "yes"
			}
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", c.Purpose, c.Channel, c.Value, c.State, allowed, c.Time)
		}
	}
	fmt.Fprintf(table, "\nTIMELINE\tCHANNEL\tTYPE\tACTOR\tWHAT (%d in all)\n", d.Timeline.TotalCount)
	for _, e := range d.Timeline.Edges {
		n := e.Node
		var what []string
		for _, s := range []string{text(n.Name), text(n.Entity), text(n.Rating), strings.TrimSpace(text(n.Amount) + " " + text(n.Currency)), text(n.Text)} {
			if s != "" {
				what = append(what, s)
			}
		}
		line := strings.ReplaceAll(strings.Join(what, " · "), "\n", " ")
		if runes := []rune(line); len(runes) > 100 {
			line = string(runes[:99]) + "…"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", n.OccurredAt, n.Channel, n.Type, n.Actor, line)
	}
	if d.Household != nil {
		fmt.Fprintln(table, "\nSAME HOUSEHOLD\tSHARES")
		for _, r := range d.Household.Residents {
			if r.Profile.ID != d.Profile.ID {
				fmt.Fprintf(table, "%s\t%s\n", r.Profile.ID, strings.Join(r.Shares, ", "))
			}
		}
	}
	if len(d.PossibleMatches) > 0 {
		fmt.Fprintln(table, "\nPOSSIBLE MATCH\tREASON\tPROBABILITY\tSHARED")
		for _, m := range d.PossibleMatches {
			probability := ""
			if m.Probability != nil {
				probability = fmt.Sprintf("%.3f", *m.Probability)
			}
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", m.Profile, m.Reason, probability, strings.Join(m.Kinds, ", "))
		}
	}
	return table.Flush()
}

type explanation struct {
	Same     bool
	Profiles []string
	Summary  string
	Steps    []struct {
		Outcome, Force, Rule string
		Stratum              int
		A, B                 string
		Kind, Value, Event   *string
	}
	Weighing *weighingView
	Joints   []struct {
		A, B     string
		Weight   float64
		Attached bool
	}
}

const explanationFields = `same profiles summary steps { outcome stratum force rule kind value a b event } joints { a b weight attached } weighing { ` + weighingFields + ` }`

func (e *explanation) print() error {
	fmt.Println(e.Summary)
	table := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(table, "\nOUTCOME\tSTRATUM\tFORCE\tRULE\tBY\tBETWEEN")
	for _, s := range e.Steps {
		by := strings.TrimSpace(text(s.Kind) + " " + text(s.Value))
		if s.Event != nil {
			by = strings.TrimSpace(by + " event " + *s.Event)
		}
		fmt.Fprintf(table, "%s\t%d\t%s\t%s\t%s\t%s %s\n", s.Outcome, s.Stratum, s.Force, s.Rule, by, s.A, s.B)
	}
	for _, j := range e.Joints {
		rule := "agree"
		if j.Attached {
			rule = "fits best"
		}
		fmt.Fprintf(table, "joined\t2\tevidence\t%s\t%.1f bits\t%s %s\n", rule, j.Weight, j.A, j.B)
	}
	if err := table.Flush(); err != nil || e.Weighing == nil {
		return err
	}
	return e.Weighing.print()
}

type whyCommand struct {
	target
	A    identifierArgument `arg:"" help:"KIND:VALUE"`
	B    identifierArgument `arg:"" help:"KIND:VALUE"`
	JSON bool               `help:"Print JSON."`
}

func (whyCommand) Help() string {
	return "Example: dossier why email:anna@example.com card:9900012345"
}

func (c *whyCommand) Run(ctx context.Context) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	var answer struct{ Why explanation }
	err = api.query(ctx, `query($a: IdentifierInput!, $b: IdentifierInput!) { why(a: $a, b: $b) { `+explanationFields+` } }`,
		map[string]any{"a": c.A.variables(), "b": c.B.variables()}, &answer)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(answer.Why)
	}
	return answer.Why.print()
}

type howCommand struct {
	target
	ID   string `arg:"" help:"A profile or persona id."`
	JSON bool   `help:"Print JSON."`
}

func (howCommand) Help() string {
	return "Example: dossier how 01234567-89ab-8cde-8f01-23456789abcd"
}

func (c *howCommand) Run(ctx context.Context) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	var answer struct{ How *explanation }
	if err := api.query(ctx, `query($id: ID!) { how(id: $id) { `+explanationFields+` } }`, map[string]any{"id": c.ID}, &answer); err != nil {
		return err
	}
	if answer.How == nil {
		return &exit{exitFailed, errors.New("this id was never handed out here")}
	}
	if c.JSON {
		return printJSON(answer.How)
	}
	return answer.How.print()
}

// assertion is what link, separate and release share.
type assertion struct {
	target
	Reason         string `required:"" help:"Why; kept with the decision."`
	IdempotencyKey string `help:"The same key is the same decision (default: a new one)." placeholder:"KEY"`
}

func (a *assertion) decide(ctx context.Context, mutation string, variables map[string]any, document string) error {
	api, err := a.client()
	if err != nil {
		return err
	}
	if a.IdempotencyKey == "" {
		a.IdempotencyKey = uuid.NewString()
	}
	variables["reason"], variables["key"] = a.Reason, a.IdempotencyKey
	var answer map[string]struct{ Event string }
	if err := api.query(ctx, document, variables, &answer); err != nil {
		return err
	}
	fmt.Println(answer[mutation].Event)
	return nil
}

type linkCommand struct {
	assertion
	A string `arg:"" help:"A persona or profile id."`
	B string `arg:"" help:"A persona or profile id."`
}

func (linkCommand) Help() string {
	return "Example: dossier link ID ID --reason 'showed both cards in the store'\n\nPrints the event's id, which release takes."
}

func (c *linkCommand) Run(ctx context.Context) error {
	return c.decide(ctx, "link", map[string]any{"a": c.A, "b": c.B},
		`mutation($a: ID!, $b: ID!, $reason: String!, $key: String!) { link(a: $a, b: $b, reason: $reason, idempotencyKey: $key) { event } }`)
}

type separateCommand struct {
	assertion
	A string `arg:"" help:"A persona or profile id."`
	B string `arg:"" help:"A persona or profile id."`
}

func (separateCommand) Help() string {
	return "Example: dossier separate ID ID --reason 'father and son'"
}

func (c *separateCommand) Run(ctx context.Context) error {
	return c.decide(ctx, "separate", map[string]any{"a": c.A, "b": c.B},
		`mutation($a: ID!, $b: ID!, $reason: String!, $key: String!) { separate(a: $a, b: $b, reason: $reason, idempotencyKey: $key) { event } }`)
}

type releaseCommand struct {
	assertion
	Event string `arg:"" help:"The event id that link or separate printed."`
}

func (releaseCommand) Help() string { return "Example: dossier release EVENT --reason 'a mistake'" }

func (c *releaseCommand) Run(ctx context.Context) error {
	return c.decide(ctx, "release", map[string]any{"event": c.Event},
		`mutation($event: ID!, $reason: String!, $key: String!) { release(event: $event, reason: $reason, idempotencyKey: $key) { event } }`)
}
