package api

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/dossier-cdp/dossier/graphql"
)

func (a *API) graphql(w http.ResponseWriter, r *http.Request) {
	secret, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	token, ok := a.Access.Token(secret)
	if !ok {
		line(w, http.StatusUnauthorized, "send a token: Authorization: Bearer TOKEN")
		return
	}
	var in graphql.Request
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&in); err != nil {
		line(w, http.StatusBadRequest, "the body is not JSON")
		return
	}
	caller := graphql.Caller{Workspace: token.Workspace, Actor: token.Actor, Scopes: token.Scopes}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	if err := json.NewEncoder(w).Encode(graphql.Execute(r.Context(), a.schema, a.Backends, caller, in)); err != nil {
		return // the caller has gone
	}
}
