package collector

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/dossier-cdp/dossier/pipelines/channel"
	"github.com/dossier-cdp/dossier/pipelines/channel/webhook"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/collector/deadletter"
)

// hookPath is what the paths of webhooks begin with; the source's name follows.
const hookPath = "/hooks/"

// hookBytes bounds a webhook so that a dead letter can hold it whole, with what is known of it beside.
const hookBytes = deadletter.MaxBytes - 128<<10

// hook answers a webhook. Providers send again what is answered with 4xx or 5xx, and some give up on an address that does so often. So what was
// signed and can be parsed is answered with 200, also where no event could be made of it: then it is in the dead letters, whole, and the
// receipt says why.
func (c *Collector) hook(w http.ResponseWriter, r *http.Request) int {
	source := strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, hookPath), "/")
	workspace, ready := c.workspace(c.hooks)
	if !ready || workspace.Hook == nil {
		f := fail(http.StatusServiceUnavailable, "not_ready", "the workspace is not served here yet", "try again")
		f.retryAfter = time.Second
		return answerFailure(w, f)
	}
	hook, known := workspace.Hook(source)
	if !known {
		return answerFailure(w, fail(http.StatusNotFound, "source_unknown", "no source of this name takes webhooks", "give it the member hook: dossier config apply"))
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", "POST")
		return answerFailure(w, fail(http.StatusMethodNotAllowed, "method_not_allowed", "this path takes POST", "send POST"))
	}
	secrets, err := workspace.Secrets(hook.Signature.Secrets)
	if err != nil {
		c.logger.Error("a webhook cannot be verified", "workspace", workspace.Name, "source", source, "error", err)
		f := fail(http.StatusServiceUnavailable, "secret_missing", "the source's secrets are not here", "the log of the collector says which")
		f.retryAfter = time.Minute
		return answerFailure(w, f)
	}
	b, f := c.read(c.arrivalOf(w, r))
	if f != nil {
		return c.answerUnread(w, r, f)
	}
	in := intakes.Get().(*intake)
	f = c.takeHook(in, workspace, hook, secrets, r, b.bytes)
	b.release()
	if f == nil {
		f = c.write(r.Context(), in)
	}
	if f != nil {
		return answerFailure(w, f)
	}
	in.hook = true
	status := in.answer(w)
	in.release()
	return status
}

// takeHook verifies a webhook and makes messages and letters of it.
func (c *Collector) takeHook(in *intake, workspace *Workspace, hook *webhook.Hook, secrets []string, r *http.Request, body []byte) *failure {
	if len(body) > hookBytes {
		return fail(http.StatusRequestEntityTooLarge, "body_too_large", fmt.Sprintf("a webhook has at most %d bytes", hookBytes), "send less at once")
	}
	request := webhook.Request{Header: r.Header, Body: body, Query: r.URL.RawQuery}
	if webhook.IsForm(r.Header.Get("Content-Type"), body) {
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return fail(http.StatusBadRequest, channel.CodeFieldInvalid, "the body is no form values", "encode them as application/x-www-form-urlencoded")
		}
		request.Form = form
	}
	now := c.now()
	if refusal := hook.Signature.Verify(&request, secrets, now); refusal != nil {
		c.metrics.refuse(refusal.Code)
		if refusal.Code == webhook.CodeSecretInvalid {
			c.logger.Error("a webhook cannot be verified", "workspace", workspace.Name, "source", hook.Source, "error", refusal)
			return &failure{status: http.StatusServiceUnavailable, refusal: refusal, retryAfter: time.Minute}
		}
		return &failure{status: http.StatusUnauthorized, refusal: refusal}
	}
	pieces, refusal := hook.Pieces(r.Header, body, request.Form, schema.InstantOf(now))
	if refusal != nil {
		return &failure{status: http.StatusBadRequest, refusal: refusal}
	}
	return c.deliver(in, &Delivery{
		Workspace: workspace.Name, Source: hook.Source, Endpoint: hookPath + hook.Source, Mapping: hook.MappingName(), Pieces: pieces,
	})
}
