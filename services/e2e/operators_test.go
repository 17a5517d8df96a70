package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
)

// operatorTool gives the path of a program that deploy/testing/tools.sh fetches, or that is on PATH. Without it the test is skipped,
// except under CI.
func operatorTool(t *testing.T, name string) string {
	t.Helper()
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	cache := os.Getenv("DOSSIER_CACHE")
	if cache == "" {
		folder, err := os.UserCacheDir()
		if err != nil {
			t.Fatal(err)
		}
		cache = filepath.Join(folder, "dossier")
	}
	path := filepath.Join(cache, "tools", "bin", name)
	if _, err := os.Stat(path); err != nil {
		missing := name + " is missing: run deploy/testing/tools.sh"
		if os.Getenv("CI") != "" {
			t.Fatal(missing)
		}
		t.Skip(missing)
	}
	return path
}

// alertRules is what the tests need of deploy/prometheus/alerts.yml.
type alertRules struct {
	Groups []struct {
		Rules []struct {
			Alert, Expr string
			Annotations struct{ Summary, Runbook string }
		}
	}
}

func readAlerts(t *testing.T) (rules alertRules) {
	t.Helper()
	text, err := os.ReadFile(root(t, "deploy", "prometheus", "alerts.yml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, &rules); err != nil {
		t.Fatal(err)
	}
	return rules
}

// dashboardExpressions are the queries of all panels, by panel.
func dashboardExpressions(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile(root(t, "deploy", "grafana", "dashboard.json"))
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			Title   string
			Type    string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	expressions := map[string][]string{}
	for _, p := range dashboard.Panels {
		for _, target := range p.Targets {
			expressions[p.Title] = append(expressions[p.Title], target.Expr)
		}
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("the panel %q asks for nothing", p.Title)
		}
	}
	if len(expressions) < 20 {
		t.Errorf("the dashboard has only %d panels", len(expressions))
	}
	return expressions
}

// TestRunbook holds alerts and runbook together: each alert names a page that is about it, and no page is about anything else.
func TestRunbook(t *testing.T) {
	pages := map[string]bool{}
	entries, err := os.ReadDir(root(t, "deploy", "runbook"))
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if entry.Name() != "README.md" {
			pages["deploy/runbook/"+entry.Name()] = true
		}
	}
	index, err := os.ReadFile(root(t, "deploy", "runbook", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	tests, err := os.ReadFile(root(t, "deploy", "prometheus", "alerts_test.yml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, group := range readAlerts(t).Groups {
		for _, rule := range group.Rules {
			page := rule.Annotations.Runbook
			text, err := os.ReadFile(root(t, filepath.FromSlash(page)))
			if err != nil || page == "" {
				t.Errorf("%s has no page: %v", rule.Alert, err)
				continue
			}
			delete(pages, page)
			if !strings.HasPrefix(string(text), "# "+rule.Alert+"\n") || !strings.Contains(string(text), "\n## Look at\n") || !strings.Contains(string(text), "\n## Do\n") {
				t.Errorf("%s is not the page of %s, or says too little", page, rule.Alert)
			}
			if !strings.Contains(string(index), "("+filepath.Base(page)+") | "+rule.Alert+" |") {
				t.Errorf("the index lacks %s", rule.Alert)
			}
			if !regexp.MustCompile(`alertname: ` + rule.Alert + `\n\s+eval_time: \S+\n\s+exp_alerts:\n`).Match(tests) {
				t.Errorf("no case of alerts_test.yml in which %s fires", rule.Alert)
			}
			if rule.Annotations.Summary == "" {
				t.Errorf("%s does not say what is wrong", rule.Alert)
			}
		}
	}
	for page := range pages {
		t.Errorf("%s is the page of no alert", page)
	}
}

// TestAlertRules runs the cases of alerts_test.yml.
func TestAlertRules(t *testing.T) {
	promtool := operatorTool(t, "promtool")
	for _, args := range [][]string{
		{"check", "rules", "alerts.yml"}, {"check", "config", "prometheus.yml"}, {"test", "rules", "alerts_test.yml"},
	} {
		cmd := exec.CommandContext(t.Context(), promtool, args...)
		cmd.Dir = root(t, "deploy", "prometheus")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

// TestDeployedFlags: every flag and variable that the compose file and the chart set is one that `dossier serve` knows.
func TestDeployedFlags(t *testing.T) {
	help := command(t, nil, "serve", "--help").stdout
	known := map[string]bool{
		"DOSSIER_MASTER_KEY_FILE": true, // of the keeper, and no flag
		"DOSSIER_VERSION":         true, // of the compose file itself
	}
	for _, name := range regexp.MustCompile(`\$DOSSIER_[A-Z_]+|--[a-z][a-z-]+`).FindAllString(help, -1) {
		known[strings.TrimPrefix(name, "$")] = true
	}
	for _, path := range []string{"deploy/compose/compose.yaml", "deploy/helm/dossier/templates/_helpers.tpl"} {
		text, err := os.ReadFile(root(t, filepath.FromSlash(path)))
		if err != nil {
			t.Fatal(err)
		}
		used := regexp.MustCompile(`\bDOSSIER_[A-Z_]+`).FindAllString(string(text), -1)
		for _, arguments := range regexp.MustCompile(`\["serve".*\]`).FindAllString(string(text), -1) {
			used = append(used, regexp.MustCompile(`--[a-z-]+`).FindAllString(arguments, -1)...)
		}
		if len(used) < 15 {
			t.Errorf("%s sets only %v", path, used)
		}
		for _, name := range used {
			if !known[name] {
				t.Errorf("%s sets %s, which 'dossier serve' does not know", path, name)
			}
		}
	}
}

// metrics reads /metrics of an installation.
func (i *installation) metrics(t *testing.T) string {
	t.Helper()
	response, err := client.Get(i.URL + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // it is read to its end
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("metrics: %d %v", response.StatusCode, err)
	}
	return string(text)
}

// TestMetrics asks a running installation for its figures: promtool has nothing to say about them, the are all there, every
// metric that an alert names exists, and a real Prometheus that scrapes it has an answer to each query of the dashboard.
func TestMetrics(t *testing.T) {
	promtool, prometheus := operatorTool(t, "promtool"), operatorTool(t, "prometheus")
	i := install(t)
	i.send(t, basic(i.WriteKey), json.RawMessage(good))
	if a := i.raw(t, "/v1/events", basic(i.WriteKey), strings.NewReader(`{"type":"call.exploded","messageId":"bad"}`)); a.status != 400 {
		t.Fatalf("a bad event: %+v", a)
	}
	i.wait(t)
	if errs := i.ask(t, i.APIToken, `{ dossiers(identifier: {kind: "crm_id", value: "1"}) { id } }`, nil, nil); len(errs) != 0 {
		t.Fatal(errs)
	}
	text := i.metrics(t)

	cmd := exec.CommandContext(t.Context(), promtool, "check", "metrics")
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("promtool check metrics: %v\n%s", err, out)
	}
	for _, line := range []string{
		`dossier_collector_events_accepted_total 1`, `dossier_collector_events_refused_total{code="type_unknown"} 1`,
		`dossier_dead_letters_total{code="type_unknown",role="collector"} 1`, `dossier_lag_records{partition="3",role="identity"} 0`,
		`dossier_lag_records{partition="0",role="timeline"} 0`, `dossier_lag_records{partition="0",role="segments"} 0`, `dossier_lag_records{partition="3",role="care"} 0`, `dossier_timeline_freshness_seconds_count 1`, `dossier_log_batch_records_count{topic="events"} 1`,
		`dossier_log_buffered_bytes{topic="events"} 0`, `dossier_engine_restarts_total 0`, `dossier_ready 1`, `dossier_erasures_pending 0`,
		`dossier_identity_folded_total 1`, `dossier_timeline_rows_total 1`,
	} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("/metrics lacks %s", line)
		}
	}
	for _, name := range []string{`dossier_archive_behind_bytes `, `dossier_archive_behind_records `, `dossier_ring_version{role="keeper"} `, `dossier_ring_version{role="api"} `, `dossier_build_info{`, `go_goroutines `, `process_resident_memory_bytes `} {
		if !strings.Contains(text, "\n"+name) {
			t.Errorf("/metrics lacks %s", name)
		}
	}
	for _, group := range readAlerts(t).Groups {
		for _, rule := range group.Rules {
			for _, name := range metricName.FindAllString(rule.Expr, -1) {
				if onCluster() && strings.HasPrefix(name, "dossier_embedded_log_") {
					continue // of the embedded log alone
				}
				if !strings.Contains(text, "\n"+name+" ") && !strings.Contains(text, "\n"+name+"{") {
					t.Errorf("%s asks for %s, which is not in /metrics", rule.Alert, name)
				}
			}
		}
	}
	i.askPrometheus(t, prometheus, dashboardExpressions(t))
}

var metricName = regexp.MustCompile(`\b(dossier|process|go)_[a-z_]+[a-z]\b`)

// askPrometheus scrapes the installation with a real Prometheus until each expression has an answer.
func (i *installation) askPrometheus(t *testing.T, program string, panels map[string][]string) {
	t.Helper()
	folder := t.TempDir()
	configuration := fmt.Sprintf("global: {scrape_interval: 500ms}\nrule_files: [%s]\nscrape_configs:\n  - job_name: dossier\n    static_configs: [{targets: [%s]}]\n",
		root(t, "deploy", "prometheus", "alerts.yml"), strings.TrimPrefix(i.URL, "http://"))
	if err := os.WriteFile(filepath.Join(folder, "prometheus.yml"), []byte(configuration), 0o600); err != nil {
		t.Fatal(err)
	}
	address := freeAddress(t)
	cmd := exec.Command(program, "--config.file", filepath.Join(folder, "prometheus.yml"), "--storage.tsdb.path", filepath.Join(folder, "tsdb"), "--web.listen-address", address)
	said := &tail{}
	cmd.Stderr, cmd.SysProcAttr = said, endedWithTheTest()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }() //nolint:errcheck // it is killed
	t.Cleanup(func() {
		cmd.Process.Kill() //nolint:errcheck // it may have ended
		<-ended
	})
	ask := func(expression string) (series int, problem string) {
		response, err := client.Get("http://" + address + "/api/v1/query?query=" + url.QueryEscape(strings.ReplaceAll(expression, "$__rate_interval", "1m")))
		if err != nil {
			return 0, err.Error()
		}
		defer response.Body.Close() //nolint:errcheck // it is read to its end
		var answer struct {
			Status, Error string
			Data          struct{ Result []json.RawMessage }
		}
		if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
			return 0, err.Error()
		}
		return len(answer.Data.Result), answer.Error
	}
	deadline := time.Now().Add(patience)
	for _, title := range slices.Sorted(maps.Keys(panels)) {
		for _, expression := range panels[title] {
			for {
				n, problem := ask(expression)
				if n > 0 {
					break
				}
				if time.Now().After(deadline) {
					t.Fatalf("the panel %q: %s has no answer: %s\n%s", title, expression, problem, said)
				}
				select {
				case <-ended:
					t.Fatalf("Prometheus ended: %s", said)
				case <-time.After(100 * time.Millisecond):
				}
			}
		}
	}
	if n, problem := ask(`ALERTS{alertstate="firing"}`); n != 0 || problem != "" {
		t.Errorf("%d alerts fire on an installation that is well: %s", n, problem)
	}
}

// freeAddress is a loopback address that nothing listened on a moment ago.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close() //nolint:errcheck // nothing was accepted
	return listener.Addr().String()
}
