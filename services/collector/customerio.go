package collector

import (
	"net/http"
	"strings"

	"github.com/dossier-cdp/dossier/pipelines/channel/customerio"
)

// customerPath is what the paths of Customer.io's Track API begin with.
const customerPath = "/api/v1/"

// customer answers a request of the Track API. Its key is the password of Basic authentication; the user, Customer.io's site, may be anything.
func (c *Collector) customer(w http.ResponseWriter, r *http.Request) int {
	_, key, _ := r.BasicAuth()
	who, known := c.find(key, basic)
	if !known {
		return answerFailure(w, unauthorized(w, "key_unknown", "the API key is no write key, or a revoked one"))
	}
	path := strings.TrimPrefix(r.URL.EscapedPath(), customerPath)
	if _, _, is := customerio.Call(r.Method, path, nil); !is {
		return answerFailure(w, fail(http.StatusNotFound, "path_unknown", "the Track API has no such request here", "send customers, events, devices and merge_customers; to erase a person is a decision of its own"))
	}
	b, f := c.read(c.arrivalOf(w, r))
	if f != nil {
		return c.answerUnread(w, r, f)
	}
	in := intakes.Get().(*intake)
	var text []byte
	in.call, text, _ = customerio.Call(r.Method, path, b.bytes)
	in.c, in.endpoint = c, "/v1/"+in.call
	if f = in.takeApart(text, ""); f == nil {
		f = c.prepare(in, who, text)
	}
	b.release()
	if f == nil {
		f = c.write(r.Context(), in)
	}
	if f != nil {
		return answerFailure(w, f)
	}
	status := in.answer(w)
	in.release()
	return status
}
