package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/dossier-cdp/dossier/graphql"
	"github.com/dossier-cdp/dossier/pipelines/destination"
	"github.com/dossier-cdp/dossier/pipelines/segment"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/audit"
	"github.com/dossier-cdp/dossier/services/destinations"
	"github.com/dossier-cdp/dossier/services/internal/access"
	"github.com/dossier-cdp/dossier/services/internal/control"
	"github.com/dossier-cdp/dossier/services/internal/rpc"
	"github.com/dossier-cdp/dossier/services/internal/state"
	"github.com/dossier-cdp/dossier/services/internal/webhook"
	"github.com/dossier-cdp/dossier/services/rights"
)

// newDestinations makes what sends to destinations; the role segments runs it.
func (i *installation) newDestinations(store *state.Store, decisions destinations.Topic, producer destinations.Producer) error {
	clusters, err := openClusters(configurationFile, i.logger)
	if err != nil {
		return err
	}
	sender := webhook.New()
	topics := &destinations.Topics{Now: time.Now, Connect: func(ctx context.Context, name string) (destinations.Cluster, error) {
		c, err := i.connect(ctx, clusters, name)
		if err != nil {
			return nil, err
		}
		writes, ok := c.(destinations.Cluster)
		if !ok {
			c.Close()
			return nil, errors.New("the cluster takes no records") // Unreachable: *kafka.Client does
		}
		return writes, nil
	}}
	i.onStop(func(context.Context) error { topics.Close(); return nil })
	i.destinations = destinations.New(destinations.Config{
		Workspace: mainWorkspace, Decisions: decisions, Profiles: i.profilesLog, Producer: producer, Store: store,
		People: lateIdentity{i}.People, Suppressed: i.suppressedPerson,
		Destinations: func() []*destination.Destination { return i.configuration.current.Load().Destinations },
		Sinks: map[string]destinations.Sink{
			destination.Webhook: destinations.Webhooks{Sender: sender, Secrets: i.folder.hookSecrets}, destination.Rest: destinations.Rests{Sender: sender, Secrets: i.folder.hookSecrets},
			destination.Kafka: topics, destination.File: destinations.Files{Folder: i.folder.path("destinations"), Now: time.Now},
		},
		Audit: i.auditDestination, Pause: webhook.Pause, Now: time.Now, Logger: i.logger, Registry: i.registry,
	})
	return nil
}

// auditDestination records that people are told of, before they are. It is durable when it returns.
func (i *installation) auditDestination(ctx context.Context, d *destination.Destination, people []string) error {
	err := i.audit.Add(ctx, audit.Record{Actor: "destination " + d.Name, Action: "send " + d.Kind, Purpose: d.Purpose, Scopes: []string{}, Profiles: people})
	if err == nil {
		err = i.audit.Flush(ctx)
	}
	return err
}

// suppressedPerson says whether somebody is on the suppression list: by an account, or by an identifier.
func (i *installation) suppressedPerson(p *graphql.Person) bool {
	e := &schema.Event{}
	for n := range p.Identifiers {
		e.Identifiers = append(e.Identifiers, schema.Identifier{Kind: p.Identifiers[n].Kind, Value: p.Identifiers[n].Value})
	}
	state := i.control.State()
	for n := range p.Personas {
		e.Account = p.Personas[n].Account
		if state.Suppressed(mainWorkspace, p.Personas[n].Persona, rights.Hashes(i.ring.PRF(), e, "")) {
			return true
		}
	}
	return false
}

// audienced are the segments in force with the audiences of the destinations.
func (i *installation) audienced() segment.Set {
	c := i.configuration.current.Load()
	return c.Segments.With(destination.Audiences(c.Destinations))
}

// destinationsCall asks the role for its lines, the dead letters of one, or to try those again.
type destinationsCall struct{ Name, Do string }

type destinationsAnswer struct {
	Lines   []destinations.Line
	Letters []destinations.Letter
	Retried int
}

const maxLetters = 1_000

// ownDestinations answers of this process.
func (i *installation) ownDestinations(ctx context.Context, q *destinationsCall) (out *destinationsAnswer, err error) {
	if err := i.segmentsDecide(); err != nil {
		return nil, err
	}
	out = &destinationsAnswer{}
	switch q.Do {
	case "retry":
		out.Retried, err = i.destinations.Retry(ctx, q.Name)
	case "letters":
		out.Letters, err = i.destinations.Letters(q.Name, maxLetters)
	default:
		out.Lines, err = i.destinations.Lines()
	}
	return out, err
}

// askDestinations asks wherever the role is.
func (i *installation) askDestinations(ctx context.Context, q *destinationsCall) (out *destinationsAnswer, err error) {
	if i.coordination == nil {
		return i.ownDestinations(ctx, q)
	}
	err = i.coordination.owner(ctx, segmentsRole, segmentsLease(mainWorkspace), func(ctx context.Context, c *rpc.Client) (err error) {
		out, err = rpc.Call[destinationsCall, destinationsAnswer](ctx, c, callDestinations, q)
		return err
	})
	return out, err
}

// destinationsPath serves how destinations are: GET, and NAME/deadletters; POST NAME/pause, NAME/resume, NAME/retry.
const destinationsPath = "/v1/destinations"

type destinationsHandler struct{ i *installation }

func (h destinationsHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	secret, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	token, known := h.i.control.Token(strings.TrimSpace(secret))
	scope := access.ScopeRead
	if r.Method == http.MethodPost {
		scope = access.ScopeMarketing
	}
	switch {
	case !known:
		answerFault(w, http.StatusUnauthorized, "token_unknown", "this path needs a token", "send it as 'Authorization: Bearer TOKEN'; 'dossier tokens create' makes one")
		return
	case !token.Has(scope):
		answerFault(w, http.StatusForbidden, "scope_missing", "this token lacks the scope "+string(scope), "create one with 'dossier tokens create --scope "+string(scope)+"'")
		return
	}
	name, verb, _ := strings.Cut(strings.Trim(strings.TrimPrefix(r.URL.Path, destinationsPath), "/"), "/")
	var of *destination.Destination
	for _, d := range h.i.configuration.current.Load().Destinations {
		if d.Name == name {
			of = d
		}
	}
	if name != "" && of == nil {
		answerFault(w, http.StatusNotFound, "destination_unknown", "there is no such destination", "'dossier destinations list' names them")
		return
	}
	var answer any
	var err error
	switch r.Method + " " + verb {
	case "GET ":
		var a *destinationsAnswer
		if a, err = h.i.askDestinations(r.Context(), &destinationsCall{}); err == nil {
			answer = append([]destinations.Line{}, a.Lines...)
		}
	case "GET deadletters":
		var a *destinationsAnswer
		if a, err = h.i.askDestinations(r.Context(), &destinationsCall{name, "letters"}); err == nil {
			answer = append([]destinations.Letter{}, a.Letters...)
		}
	case "POST retry":
		var a *destinationsAnswer
		if a, err = h.i.askDestinations(r.Context(), &destinationsCall{name, "retry"}); err == nil {
			answer = map[string]int{"retried": a.Retried}
		}
	case "POST pause", "POST resume":
		var hash string
		if hash, err = h.i.pauseDestination(r.Context(), token, name, verb == "pause"); err == nil {
			answer = map[string]string{"configuration": hash}
		}
	default:
		answerFault(w, http.StatusNotFound, "path_unknown", "there is no such path", "'dossier destinations --help' names what can be asked")
		return
	}
	if err != nil {
		h.i.logger.Error("answer about destinations", "error", err)
		answerFault(w, http.StatusServiceUnavailable, "unavailable", "destinations cannot be asked now", "ask again; 'dossier doctor' tells what is not well")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		return // the caller has gone
	}
}

func answerFault(w http.ResponseWriter, status int, code, message, hint string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(map[string]any{"error": map[string]string{"code": code, "message": message, "hint": hint}}); err != nil {
		return // the caller has gone
	}
}

// pauseDestination makes a destination paused, or no longer, a part of the configuration. It is tried again when somebody else changed the configuration
// meanwhile.
func (i *installation) pauseDestination(ctx context.Context, token access.Token, name string, pause bool) (hash string, err error) {
	for range 10 {
		now := i.control.State().Configuration(token.Workspace)
		whole, all, one := map[string]json.RawMessage{}, map[string]json.RawMessage{}, map[string]json.RawMessage{}
		if err := json.Unmarshal(now.Document, &whole); err != nil {
			return "", err
		}
		if err := json.Unmarshal(whole["destinations"], &all); err != nil {
			return "", err
		}
		if err := json.Unmarshal(all[name], &one); err != nil {
			return "", err
		}
		delete(one, "paused")
		if pause {
			one["paused"] = json.RawMessage("true")
		}
		var text []byte
		if all[name], err = json.Marshal(one); err == nil {
			if whole["destinations"], err = json.Marshal(all); err == nil {
				text, err = json.Marshal(whole)
			}
		}
		if err != nil {
			return "", err
		}
		hash, canonical, err := checkConfiguration(text)
		if err != nil || hash == now.Hash {
			return hash, err
		}
		reason := "resume the destination " + name
		if pause {
			reason = "pause the destination " + name
		}
		err = i.control.Append(ctx, &schema.Control{
			ID: uuid.NewString(), Kind: schema.ControlConfigurationChanged, Workspace: token.Workspace, Actor: token.Actor, Reason: reason,
			Configuration: &schema.ControlConfiguration{Document: canonical, Hash: hash, Base: now.Hash},
		})
		if refused := (*control.ErrRefused)(nil); errors.As(err, &refused) {
			continue
		}
		return hash, err
	}
	return "", fmt.Errorf("the configuration keeps changing")
}
