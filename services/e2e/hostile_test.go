package e2e

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// hostileSamples are good items, one of a kind of call. %d makes each its own event in more than one place.
var hostileSamples = []string{
	`{"type":"message.received","channel":"email","messageId":"h-%[1]d","occurredAt":"2026-01-01T00:00:00Z","account":{"kind":"crm_id","value":"a%[1]d"},"identifiers":[{"kind":"email","value":"h%[1]d@example.fr"}],"text":"bonjour","language":"fr","properties":{"n":%[1]d}}`,
	`{"type":"order.placed","channel":"store","messageId":"h-%[1]d","occurredAt":"2025-12-31T23:59:59.999999Z","account":{"kind":"card","value":"c%[1]d"},"entity":"o-%[1]d","amount":"12.50","currency":"EUR","properties":{"n":%[1]d,"lines":[{"sku":"x","n":1},{"sku":"y","n":2}]}}`,
	`{"type":"survey.answered","channel":"survey","messageId":"h-%[1]d","occurredAt":"2024-02-29T12:00:00+02:00","account":{"kind":"user_id","value":"u%[1]d"},"rating":"9","ratingScale":"nps","traits":{"given_name":"Zoé","n":%[1]d}}`,
	`{"type":"profile.identified","channel":"crm","messageId":"h-%[1]d","occurredAt":"2026-03-01T00:00:00Z","account":{"kind":"crm_id","value":"p%[1]d"},"traits":{"given_name":"Ana","family_name":"N%[1]d","birth_date":"1980-02-30","address":{"street":"1 rue X","postcode":"75001"}},"consents":[{"channel":"email","purpose":"news","state":"granted"}]}`,
}

var hostileCalls = []string{
	`{"type":"track","event":"Order Completed","messageId":"h-%[1]d","userId":"u%[1]d","anonymousId":"x%[1]d","originalTimestamp":"2026-01-01T00:00:00Z","context":{"ip":"203.0.113.9","locale":"fr-FR","page":{"path":"/"},"traits":{"email":"h%[1]d@example.fr"}},"properties":{"n":%[1]d,"revenue":12.5}}`,
	`{"type":"identify","messageId":"h-%[1]d","userId":"u%[1]d","originalTimestamp":"2026-01-01T00:00:00Z","traits":{"email":"h%[1]d@example.fr","phone":"+33612345678","name":"N %[1]d","n":%[1]d}}`,
	`{"type":"alias","messageId":"h-%[1]d","userId":"u%[1]d","previousId":"x%[1]d","originalTimestamp":"2026-01-01T00:00:00Z","context":{"n":%[1]d}}`,
	`{"type":"group","messageId":"h-%[1]d","userId":"u%[1]d","groupId":"g%[1]d","originalTimestamp":"2026-01-01T00:00:00Z","traits":{"n":%[1]d}}`,
	`{"type":"page","messageId":"h-%[1]d","anonymousId":"x%[1]d","name":"Accueil","originalTimestamp":"2026-01-01T00:00:00Z","properties":{"url":"https://example.fr/?q=%[1]d","n":%[1]d}}`,
}

// hostileValues stand where something else is expected.
var hostileValues = []string{
	`null`, `true`, `-1`, `0.1e-7`, `1e999`, `-0`, `123456789012345678901234567890`, `1` + strings.Repeat("0", 400), `""`, `" "`, `"\u0000"`, `"\ud800"`, `"\ud83d\ude00"`,
	`"مرحبا \u202e abc"`, `"` + strings.Repeat("é", 400) + `"`, `"` + strings.Repeat("x", 20_000) + `"`, `[]`, `{}`, `[[[[[[]]]]]]`, strings.Repeat("[", 200) + strings.Repeat("]", 200),
	`"2999-01-01T00:00:00Z"`, `"0000-00-00"`, `"1899-12-31T23:59:59Z"`, `"9999-12-31T23:59:59.999999999Z"`, `"2026-02-30T25:61:61Z"`, `1767225600`, `"' OR 1=1 --"`, `"{{7*7}}"`, `"../../etc/passwd"`,
	`"profile.erased"`, `"identity.linked"`, `"configuration.changed"`, `"agent"`, `{"kind":"email","value":"a@b"}`, `{"":""}`, "\"\xff\xfe\"", `"a@@b..c"`, `"+0000000000000000"`, `NaN`, `'x'`,
}

var hostileToken = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|-?[0-9.]+|true|false|null`)

// spoil changes a good item in one to three places.
func spoil(r *rand.Rand, item []byte) []byte {
	at := func(b []byte) int { return r.IntN(len(b) + 1) }
	for range 1 + r.IntN(3) {
		if len(item) < 2 {
			return item
		}
		switch r.IntN(12) {
		case 0, 1, 2, 3, 4, 5: // another value, or another name
			tokens := hostileToken.FindAllIndex(item, -1)
			if len(tokens) == 0 {
				continue
			}
			token := tokens[r.IntN(len(tokens))]
			item = bytes.Join([][]byte{item[:token[0]], []byte(hostileValues[r.IntN(len(hostileValues))]), item[token[1]:]}, nil)
		case 6: // a byte
			item = bytes.Clone(item)
			item[r.IntN(len(item))] = byte(r.Uint32())
		case 7: // bytes gone
			from := at(item)
			item = append(bytes.Clone(item[:from]), item[min(len(item), from+1+r.IntN(40)):]...)
		case 8: // bytes more
			from := at(item)
			item = bytes.Join([][]byte{item[:from], []byte("{[\"\\,:]}\x00\x7f\u2028")[r.IntN(5):], item[from:]}, nil)
		case 9: // a member twice
			item = append([]byte(`{"messageId":"again","type":"track","n":1,`), item[1:]...)
		case 10: // wrapped
			item = bytes.Join([][]byte{[]byte(`{"batch":[`), item, []byte(`],"context":`), item, []byte(`}`)}, nil)
		case 11: // cut
			item = item[:at(item)]
		}
	}
	return item
}

// TestHostilePayloads sends items that are wrong in every way. Each gets an answer, what was accepted is there once and nothing else
// is, and the process lives on in bounded memory.
func TestHostilePayloads(t *testing.T) {
	total := 10_000
	if os.Getenv("DOSSIER_PROVE") != "" {
		total = 1_000_000
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	i := install(t)
	const workers, most = 8, 20
	var (
		group                                  sync.WaitGroup
		mu                                     sync.Mutex
		ids                                    = map[string]bool{}
		sent, calls, refused, whole, forbidden int
	)
	for w := range workers {
		group.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(w)))
			for n := 0; n < total/workers && !t.Failed(); {
				native := r.IntN(2) == 0
				samples := hostileCalls
				if native {
					samples = hostileSamples
				}
				var items [][]byte
				for range 1 + r.IntN(most) {
					item := fmt.Appendf(nil, samples[r.IntN(len(samples))], (w*total+n)*10+r.IntN(10))
					if r.IntN(8) > 0 {
						item = spoil(r, item)
					}
					if r.IntN(20) > 0 && !json.Valid(item) { // most requests can be read, else nothing in them is looked at
						item = fmt.Appendf(nil, samples[0], (w*total+n)*10+r.IntN(10))
					}
					items, n = append(items, item), n+1
				}
				path, body := "/v1/events", bytes.Join([][]byte{{'['}, bytes.Join(items, []byte{','}), {']'}}, nil)
				if !native {
					path, body = "/v1/batch", bytes.Join([][]byte{[]byte(`{"batch":[`), bytes.Join(items, []byte{','}), []byte(`]}`)}, nil)
				}
				status, answer := i.hostile(t, r, path, body)
				var a struct {
					receipt
					Success *bool
					Error   struct{ Code, Reason string }
				}
				if err := json.Unmarshal(answer, &a); err != nil {
					t.Errorf("%s: %d: an answer that is no JSON: %q", path, status, answer)
					return
				}
				mu.Lock()
				sent += len(items)
				switch {
				case status >= 500 || status == 0:
					t.Errorf("%s answers %d %s to %q", path, status, answer, body)
				case a.Error.Code != "": // the request as a whole
					whole++
				case !native && status == http.StatusOK && len(a.Refused) == 0 && a.Success != nil && *a.Success:
					calls += len(items)
				default:
					refused += len(a.Refused)
					if got := a.Accepted + len(a.Refused); status == http.StatusOK && got < len(items) && got != itemsOf(body) {
						t.Errorf("%s answers for %d of %d items: %s to %q", path, got, len(items), answer, body)
					}
					if !native {
						calls += a.Accepted
					}
					for _, refusal := range a.Refused {
						if refusal.Code == "scope_missing" {
							forbidden++ // nothing of it is stored
						}
						if refusal.Code == "" || refusal.Reason == "" {
							t.Errorf("a refusal without code or reason: %s", answer)
						}
					}
				}
				for _, id := range a.IDs {
					if id != "" {
						ids[id] = true
					}
				}
				mu.Unlock()
			}
		})
	}
	group.Wait()
	if t.Failed() {
		return
	}
	i.wait(t)
	var there, twice int
	seen := map[string]bool{}
	export(t, i, "events", func(line struct{ ID string }) {
		there++
		if seen[line.ID] {
			twice++
		}
		seen[line.ID] = true
	})
	missing := 0
	for id := range ids {
		if !seen[id] {
			missing++
		}
	}
	peak, letters := i.peakMemory(t), i.metric(t, "dossier_dead_letters_total")
	if letters != refused-forbidden {
		t.Errorf("%d items were refused, %d of them because the key may not send them, and %d are in the dead letters", refused, forbidden, letters)
	}
	t.Logf("%d items: %d requests refused whole, %d items refused, %d native and %d Segment events accepted; %d stored, most memory %d MB", sent, whole, refused, len(ids), calls, there, peak>>20)
	if missing > 0 || twice > 0 {
		t.Errorf("%d accepted events are missing, %d are there twice", missing, twice)
	}
	// Two items that were spoilt into the same text are one event, so a few less may be there.
	if least := len(ids) + calls - sent/1000; there < least || there > len(ids)+calls {
		t.Errorf("%d events are stored, %d were accepted", there, len(ids)+calls)
	}
	if whole == 0 || refused == 0 || len(ids) == 0 || calls == 0 {
		t.Error("the payloads did not meet every kind of answer")
	}
	if limit := int64(700 << 20); peak > limit {
		t.Errorf("the process took %d MB", peak>>20)
	}
}

// itemsOf counts the items of a body as a reader of its own: a spoilt item may end the list that it is in, and go on with another member.
func itemsOf(body []byte) int {
	var list []json.RawMessage
	if err := json.Unmarshal(body, &list); err == nil {
		return len(list)
	}
	var call struct{ Batch []json.RawMessage }
	if err := json.Unmarshal(body, &call); err != nil {
		return -1
	}
	return len(call.Batch)
}

// hostile sends a body, now and then compressed, damaged or with a wrong length of its content, and gives the answer.
func (i *installation) hostile(t *testing.T, r *rand.Rand, path string, body []byte) (int, []byte) {
	encoding := ""
	if r.IntN(10) == 0 {
		encoding = "gzip"
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		if _, err := z.Write(body); err != nil {
			t.Error(err)
		}
		if err := z.Close(); err != nil {
			t.Error(err)
		}
		body = b.Bytes()
		if r.IntN(4) == 0 {
			body[r.IntN(len(body))] ^= 1 << r.IntN(8)
		}
	}
	for begun := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, i.URL+path, bytes.NewReader(body))
		if err != nil {
			t.Error(err)
			return 0, nil
		}
		request.Header.Set("Authorization", basic(i.WriteKey))
		request.Header.Set("Content-Type", []string{"application/json", "text/plain", "application/json; charset=utf-8", "application/octet-stream"}[r.IntN(4)])
		if encoding != "" {
			request.Header.Set("Content-Encoding", encoding)
		}
		response, err := client.Do(request)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			return 0, nil
		}
		answer, err := io.ReadAll(response.Body)
		if closed := response.Body.Close(); err == nil {
			err = closed
		}
		if err != nil {
			t.Errorf("%s: %v", path, err)
		}
		if response.StatusCode != http.StatusServiceUnavailable || time.Since(begun) > patience {
			return response.StatusCode, answer
		}
	}
}

// metric adds up the samples of a metric.
func (i *installation) metric(t *testing.T, name string) (sum int) {
	t.Helper()
	response, err := client.Get(i.URL + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // it is read to its end
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, name+"{") && !strings.HasPrefix(line, name+" ") {
			continue
		}
		f := strings.Fields(line)
		n, err := strconv.ParseFloat(f[len(f)-1], 64)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		sum += int(n)
	}
	return sum
}

// peakMemory is the most memory, in bytes, that the main process has had; 0 where the system does not tell.
func (i *installation) peakMemory(t *testing.T) int64 {
	status, err := os.ReadFile("/proc/" + strconv.Itoa(i.cmd.Process.Pid) + "/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return kib << 10
		}
	}
	return 0
}
