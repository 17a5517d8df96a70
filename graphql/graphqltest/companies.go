package graphqltest

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/dossier-cdp/dossier/graphql"
	"github.com/dossier-cdp/dossier/schema"
)

// companies: every persona of the first two people of the world has joined acme; of one that nobody knows too, and the last of the second has left.
type companies struct{ w *World }

func (c companies) Companies(ctx context.Context, workspace, search, after string, _ int) (ids []string, more bool, err error) {
	err = c.w.count(ctx, workspace, "Companies")
	if strings.Contains("acme Rivet & fils", search) && after < "acme" {
		ids = []string{"acme"}
	}
	return ids, false, err
}

func (c companies) CompaniesByID(ctx context.Context, workspace string, ids []string) ([]*graphql.Company, error) {
	if err := c.w.count(ctx, workspace, "CompaniesByID"); err != nil {
		return nil, err
	}
	out := make([]*graphql.Company, len(ids))
	for i, id := range ids {
		if id != "acme" {
			continue
		}
		company := &graphql.Company{ID: id, Traits: []graphql.CompanyTrait{
			{Name: "name", Value: json.RawMessage(`"Rivet & fils"`), At: at("2026-01-02T10:00:00Z"), Source: "crm"}, {Name: "size", Value: json.RawMessage(`12`), At: at("2026-01-02T10:00:00Z"), Source: "crm"},
		}, Members: []graphql.Membership{{Persona: schema.ProfileID(ID('z', 99))}}}
		for n, p := range c.w.People[:min(2, len(c.w.People))] {
			for k, persona := range p.Personas {
				company.Members = append(company.Members, graphql.Membership{
					Persona: persona.ID, JoinedAt: at("2026-01-01T10:00:00Z"), LastAt: at("2026-01-02T10:00:00Z"), Event: ID('e', 1+k), Left: n == 1 && k == len(p.Personas)-1,
				})
			}
		}
		out[i] = company
	}
	return out, nil
}

func (c companies) Joined(ctx context.Context, workspace string, people [][]schema.PersonaID) ([][]string, error) {
	out := make([][]string, len(people))
	for i := range out {
		out[i] = []string{"acme"}
	}
	return out, c.w.count(ctx, workspace, "Joined")
}
