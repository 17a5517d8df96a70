package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/dossier-cdp/dossier/graphql"
	"github.com/dossier-cdp/dossier/services/api/manage"
	"github.com/dossier-cdp/dossier/services/rights"
)

// subjectArgument is KIND:VALUE, or an id of a profile or persona, on the command line.
type subjectArgument struct {
	identifierArgument
	ID string
}

func (s *subjectArgument) UnmarshalText(text []byte) error {
	for _, prefix := range []string{"dossier:", "persona:", "profile:", "id:"} {
		text = []byte(strings.TrimPrefix(string(text), prefix))
	}
	if !strings.Contains(string(text), ":") {
		if s.ID = string(text); s.ID == "" {
			return errors.New("want KIND:VALUE, such as email:anna@example.com, or an id")
		}
		return nil
	}
	return s.identifierArgument.UnmarshalText(text)
}

func (s *subjectArgument) exercise(reason string) *manage.Exercise {
	return &manage.Exercise{Kind: s.Kind, Value: s.Value, ID: s.ID, Reason: reason}
}

// ambiguous lists the owners of an identifier that several people have.
func ambiguous(err error) error {
	e := (*apiError)(nil)
	if !errors.As(err, &e) || e.Code != "ambiguous_identifier" {
		return err
	}
	for _, id := range e.Profiles {
		fmt.Println(id)
	}
	return &exit{exitAmbiguous, fmt.Errorf("%s: name one of them by its id", e.Message)}
}

type eraseCommand struct {
	target
	Subject        subjectArgument `arg:"" help:"KIND:VALUE, such as email:anna@example.com, or an id of a profile or persona."`
	Reason         string          `help:"Why; kept with the decision. No personal data belongs into it."`
	DryRun         bool            `help:"Show what would go, who shares identifiers and what forbids it, and decide nothing."`
	IdempotencyKey string          `help:"The same key is the same decision (default: the same person and reason are)." placeholder:"KEY"`
	Timeout        time.Duration   `default:"30m" help:"How long to wait until it is done. It goes on without this command."`
	JSON           bool            `help:"Print the erasure as JSON; when it is finished, that is the proof."`
}

func (eraseCommand) Help() string {
	return `Example: dossier erase email:anna@example.com --dry-run
         dossier erase email:anna@example.com --reason 'asked for it on 2 March' --json > proof.json

Her keys are given up, so that nobody can open her events again, in no copy of the log; rows, files and dead letters go; what comes late of
her is refused. The same command carries on where it was cut, and repeating it changes nothing. Exit code 3: copies of the key ring must be
replaced first, or several people own the identifier.`
}

func (c *eraseCommand) Run(ctx context.Context) error {
	if !c.DryRun && strings.TrimSpace(c.Reason) == "" {
		return &exit{exitMisused, errors.New("a decision needs a reason: give --reason, or --dry-run to decide nothing")}
	}
	api, err := c.client()
	if err != nil {
		return err
	}
	body := c.Subject.exercise(c.Reason)
	body.DryRun, body.IdempotencyKey = c.DryRun, c.IdempotencyKey
	if body.IdempotencyKey == "" {
		sum := sha256.Sum256([]byte(body.Kind + "\x00" + body.Value + "\x00" + body.ID + "\x00" + body.Reason))
		body.IdempotencyKey = "command " + hex.EncodeToString(sum[:])
	}
	var e graphql.Erasure
	if err := api.call(ctx, http.MethodPost, "/v1/erasures", body, &e); err != nil {
		return ambiguous(err)
	}
	if !c.DryRun {
		known := e.Known
		if err := follow(ctx, api, &e, c.Timeout); err != nil {
			return err
		}
		e.Known = known
	}
	if c.JSON {
		err = printJSON(&e)
	} else {
		err = printErasure(&e)
	}
	if err != nil {
		return err
	}
	return outcomeOf(&e)
}

// outcomeOf says what is left to do.
func outcomeOf(e *graphql.Erasure) error {
	switch {
	case e.State == graphql.ErasurePlanned && len(e.Holds) > 0:
		return &exit{exitFailed, errors.New("a hold forbids to erase this person")}
	case e.State == graphql.ErasurePartial:
		return &exit{exitAmbiguous, fmt.Errorf("copies of the key ring still have the person's keys: replace them with 'dossier ring copy --name %s …', or destroy them and say so with 'dossier ring destroyed %s'",
			e.Copies[0], e.Copies[0])}
	case len(e.Known) > 0 && e.State != graphql.ErasurePlanned:
		return &exit{exitAmbiguous, fmt.Errorf("this was done already; somebody is known by the identifier since, or shared it: %s. 'dossier erase ID' erases them, too", strings.Join(e.Known, ", "))}
	}
	return nil
}

// follow waits until an erasure is done, telling each step as it is.
func follow(ctx context.Context, api *client, e *graphql.Erasure, limit time.Duration) error {
	told := map[string]bool{}
	deadline := time.Now().Add(limit)
	for {
		for _, s := range e.Steps {
			if s.Done && !told[s.Name+s.Store] {
				told[s.Name+s.Store] = true
				fmt.Fprintf(os.Stderr, "%s: %s\n", s.Name, s.Detail)
			}
		}
		if e.State != graphql.ErasureRunning {
			return nil
		}
		if time.Now().After(deadline) {
			return &exit{exitAmbiguous, fmt.Errorf("it is not done yet, and goes on: 'dossier erasures show %s' says how far it is", e.ID)}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
		var next graphql.Erasure
		if err := api.call(ctx, http.MethodGet, "/v1/erasures/"+url.PathEscape(e.ID), nil, &next); err != nil {
			return err
		}
		*e = next
	}
}

func printErasure(e *graphql.Erasure) error {
	table := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(table, "%s\t%s\n", name, value)
		}
	}
	line("erasure", e.ID)
	line("state", e.State)
	line("decided", strings.TrimSpace(e.RequestedAt+" "+e.Actor))
	line("reason", e.Reason)
	line("void until", e.CutOff)
	line("finished", e.FinishedAt)
	fmt.Fprintln(table, "\nHELD\tTHEN\tNOW")
	now := map[string]int32{}
	for _, n := range e.Left {
		now[n.Name] = n.Count
	}
	for _, n := range e.Held {
		fmt.Fprintf(table, "%s\t%d\t%d\n", n.Name, n.Count, now[n.Name])
	}
	if len(e.Personas) > 0 {
		fmt.Fprintln(table, "\nPERSONA\tSOURCE\tTRUST\tACCOUNT\tEPOCH")
		for _, p := range e.Personas {
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%d\n", p.Persona, p.Source, p.Trust, p.Kind, p.Epoch)
		}
	}
	if len(e.Shared) > 0 {
		fmt.Fprintln(table, "\nSTAYS\tSHARES")
		for _, s := range e.Shared {
			fmt.Fprintf(table, "%s\t%s\n", s.Profile, strings.Join(s.Kinds, ", "))
		}
	}
	if len(e.Holds) > 0 {
		fmt.Fprintln(table, "\nHOLD\tBY\tSINCE\tREASON")
		for _, h := range e.Holds {
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", h.ID, h.Actor, h.PlacedAt, h.Reason)
		}
	}
	if len(e.Steps) > 0 {
		fmt.Fprintln(table, "\nSTEP\tDONE\tWHAT\tDIGEST")
		for _, s := range e.Steps {
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", s.Name, s.At, s.Detail, s.Digest)
		}
	}
	line("\nproof", e.Digest)
	return table.Flush()
}

type erasuresCommand struct {
	List erasuresList `cmd:"" help:"List the decisions to erase, newest first."`
	Show erasuresShow `cmd:"" help:"Show how far an erasure is, or its proof."`
}

func (erasuresCommand) Help() string { return "Example: dossier erasures list" }

type erasuresList struct{ list }

func (erasuresList) Help() string { return "Example: dossier erasures list --json" }

func (c *erasuresList) Run(ctx context.Context) error {
	return show(ctx, &c.list, "/v1/erasures", []string{"ID", "STATE", "DECIDED", "BY", "PERSONAS", "REASON"}, func(e *graphql.Erasure) []string {
		return []string{e.ID, e.State, e.RequestedAt, e.Actor, fmt.Sprint(len(e.Personas)), e.Reason}
	})
}

type erasuresShow struct {
	target
	ID   string `arg:"" help:"The id of the erasure."`
	JSON bool   `help:"Print JSON."`
}

func (erasuresShow) Help() string { return "Example: dossier erasures show ID --json > proof.json" }

func (c *erasuresShow) Run(ctx context.Context) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	var e graphql.Erasure
	if err := api.call(ctx, http.MethodGet, "/v1/erasures/"+url.PathEscape(c.ID), nil, &e); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(&e)
	}
	return printErasure(&e)
}

type holdsCommand struct {
	Place holdsPlace `cmd:"" help:"Forbid to erase a person: the law has one keep what is held."`
	List  holdsList  `cmd:"" help:"List the holds that are not lifted."`
	Lift  holdsLift  `cmd:"" help:"Lift a hold."`
}

func (holdsCommand) Help() string {
	return "Example: dossier holds place email:anna@example.com --reason 'invoice in dispute, court case 17/2026'"
}

type holdsPlace struct {
	target
	Subject subjectArgument `arg:"" help:"KIND:VALUE, or an id of a profile or persona."`
	Reason  string          `required:"" help:"Why; shown to whoever wants to erase the person. No personal data belongs into it."`
	JSON    bool            `help:"Print JSON."`
}

func (holdsPlace) Help() string {
	return "Example: dossier holds place email:anna@example.com --reason 'invoice in dispute'\n\nIt holds for the accounts that the person has now. Prints the id, which lift takes."
}

func (c *holdsPlace) Run(ctx context.Context) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	var h graphql.LegalHold
	if err := api.call(ctx, http.MethodPost, "/v1/holds", c.Subject.exercise(c.Reason), &h); err != nil {
		return ambiguous(err)
	}
	if c.JSON {
		return printJSON(&h)
	}
	fmt.Println(h.ID)
	return nil
}

type holdsList struct{ list }

func (holdsList) Help() string { return "Example: dossier holds list --json" }

func (c *holdsList) Run(ctx context.Context) error {
	return show(ctx, &c.list, "/v1/holds", []string{"ID", "PLACED", "BY", "PERSONAS", "REASON"}, func(h graphql.LegalHold) []string {
		return []string{h.ID, h.PlacedAt, h.Actor, strings.Join(h.Profiles, " "), h.Reason}
	})
}

type holdsLift struct {
	target
	ID     string `arg:"" help:"The id of the hold."`
	Reason string `required:"" help:"Why; kept with the decision."`
	JSON   bool   `help:"Print JSON."`
}

func (holdsLift) Help() string { return "Example: dossier holds lift ID --reason 'the case is closed'" }

func (c *holdsLift) Run(ctx context.Context) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	var answer struct {
		Lifted string `json:"lifted"`
	}
	path := "/v1/holds/" + url.PathEscape(c.ID) + "?" + url.Values{"reason": {c.Reason}}.Encode()
	if err := api.call(ctx, http.MethodDelete, path, nil, &answer); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(answer)
	}
	fmt.Println("lifted", answer.Lifted)
	return nil
}

// suppression is what suppress and unsuppress share.
type suppression struct {
	target
	Subject subjectArgument `arg:"" help:"KIND:VALUE, or an id of a profile or persona."`
	Reason  string          `required:"" help:"Why; kept with the decision."`
	JSON    bool            `help:"Print JSON."`
}

func (c *suppression) decide(ctx context.Context, ended bool) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	body := c.Subject.exercise(c.Reason)
	body.Ended = ended
	var answer rights.Suppression
	if err := api.call(ctx, http.MethodPost, "/v1/suppressions", body, &answer); err != nil {
		return ambiguous(err)
	}
	if c.JSON {
		return printJSON(answer)
	}
	fmt.Println(answer.ID)
	return nil
}

type suppressCommand struct{ suppression }

func (suppressCommand) Help() string {
	return "Example: dossier suppress email:anna@example.com --reason 'objects to being profiled'\n\nWhat comes of the person's accounts, or carries the identifier, is refused from now on: neither stored nor dead-lettered. What is held stays."
}

func (c *suppressCommand) Run(ctx context.Context) error { return c.decide(ctx, false) }

type unsuppressCommand struct{ suppression }

func (unsuppressCommand) Help() string {
	return "Example: dossier unsuppress email:anna@example.com --reason 'asked for it'"
}

func (c *unsuppressCommand) Run(ctx context.Context) error { return c.decide(ctx, true) }

type suppressionsCommand struct{ list }

func (suppressionsCommand) Help() string { return "Example: dossier suppressions --json" }

func (c *suppressionsCommand) Run(ctx context.Context) error {
	return show(ctx, &c.list, "/v1/suppressions", []string{"ID", "DECIDED", "BY", "SUPPRESSED", "PERSONAS", "REASON"}, func(l rights.SuppressionLine) []string {
		return []string{l.ID, l.At, l.Actor, fmt.Sprint(l.Suppressed), fmt.Sprint(l.Personas), l.Reason}
	})
}
