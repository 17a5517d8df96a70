// Command dossier is the one binary: `up` runs everything, the other commands talk to what runs.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/dossier-cdp/dossier/services/internal/embedded/chdb"
)

// The exit codes of every command.
const (
	exitDone      = 0
	exitFailed    = 1
	exitMisused   = 2
	exitAmbiguous = 3 // done in part, or ambiguous: the output says what and where
)

// exit is an error with the code to end with. Its text is printed when it has one.
type exit struct {
	code int
	err  error
}

func (e *exit) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e *exit) Unwrap() error { return e.err }

type commands struct {
	Up           upCommand           `cmd:"" help:"Run everything in one process tree, on embedded engines unless addresses are given."`
	Serve        serveCommand        `cmd:"" help:"Run some of the roles, beside other processes, on Kafka and ClickHouse."`
	Engines      enginesCommand      `cmd:"" hidden:"" help:"Run the embedded engines alone, for tests."`
	Import       importCommand       `cmd:"" help:"Send the rows of files as events, by a mapping."`
	Resolve      resolveCommand      `cmd:"" help:"Say who is who in a file, offline."`
	Train        trainCommand        `cmd:"" help:"Estimate matching weights on a file, without labels."`
	Verbatim     verbatimCommand     `cmd:"" help:"Read what customers write: language, polarity, themes, criticality."`
	Reputation   reputationCommand   `cmd:"" help:"Find crises in what is said in public."`
	Companies    companiesCommand    `cmd:"" help:"Show companies: their people, what these buy, their cases."`
	Show         showCommand         `cmd:"" help:"Show the dossier of whoever owns an identifier."`
	Why          whyCommand          `cmd:"" help:"Explain why two identifiers are one person, or why not."`
	How          howCommand          `cmd:"" help:"Explain how a profile came together."`
	Matches      matchesCommand      `cmd:"" help:"List, weigh and decide profiles that may be one person."`
	Link         linkCommand         `cmd:"" help:"Record that two personas are one person."`
	Separate     separateCommand     `cmd:"" help:"Record that two personas are different people."`
	Release      releaseCommand      `cmd:"" help:"Withdraw a link or a separation."`
	Export       exportCommand       `cmd:"" help:"Write a projection as canonical NDJSON."`
	Replay       replayCommand       `cmd:"" help:"Write events back, to a stream, a file or a topic."`
	Open         openCommand         `cmd:"" help:"Open records of the topic events with the key ring of a data folder."`
	Digest       digestCommand       `cmd:"" help:"Print the SHA-256 and the count of each export."`
	Inbox        inboxCommand        `cmd:"" help:"List the open cases, the one to answer first at the top."`
	Metrics      metricsCommand      `cmd:"" help:"Answer a metric of care: reactivity, resolution, satisfaction; or list them."`
	Backup       backupCommand       `cmd:"" help:"Copy everything irreplaceable but the key ring, while the installation runs."`
	Restore      restoreCommand      `cmd:"" help:"Make a new data folder of a backup and a copy of the key ring."`
	Ring         ringCommand         `cmd:"" help:"Write, list and take off the list copies of the key ring; rotate its keys."`
	Partitions   partitionsCommand   `cmd:"" help:"Give the events topic another number of partitions, while nothing runs."`
	Config       configCommand       `cmd:"" help:"Show, compare and change the configuration."`
	Workspaces   workspacesCommand   `cmd:"" help:"List the workspaces."`
	Keys         keysCommand         `cmd:"" help:"List, create and revoke write keys."`
	Tokens       tokensCommand       `cmd:"" help:"List, create and revoke tokens."`
	Deadletters  deadlettersCommand  `cmd:"" help:"List and show what was refused."`
	Access       accessCommand       `cmd:"" help:"Write everything that is held of a person, with the origin of each item."`
	Rectify      rectifyCommand      `cmd:"" help:"Correct what is believed of a person."`
	Erase        eraseCommand        `cmd:"" help:"Forget a person: in the log, in every store, for ever; with a proof."`
	Erasures     erasuresCommand     `cmd:"" help:"List erasures, and show how far one is, or its proof."`
	Holds        holdsCommand        `cmd:"" help:"Place, list and lift what forbids to erase somebody."`
	Suppress     suppressCommand     `cmd:"" help:"Refuse whatever comes of a person from now on."`
	Unsuppress   unsuppressCommand   `cmd:"" help:"Take again what comes of a suppressed person."`
	Suppressions suppressionsCommand `cmd:"" help:"List the decisions to suppress."`
	Retention    retentionCommand    `cmd:"" help:"Say how long what is kept, and end what is kept no longer."`
	Audit        auditCommand        `cmd:"" help:"List and verify who saw personal values and exercised rights."`
	Doctor       doctorCommand       `cmd:"" help:"Check engines, lag, keys and disk; a line each with what to do."`
	Certificates certificatesCommand `cmd:"" help:"Make and list the certificates of the processes of an installation."`
	Ready        readyCommand        `cmd:"" help:"Ask a process whether it is ready; for health checks."`
	Generate     generateCommand     `cmd:"" help:"Invent customers as eight systems know them, to any number, and say who they are."`
	Segments     segmentsCommand     `cmd:"" help:"Describe people: preview, save, explain and export segments."`
	Destinations destinationsCommand `cmd:"" help:"Say how destinations are; pause and resume them, and send dead letters again."`
	Value        valueCommand        `cmd:"" help:"Say what customers are worth, and whether they still buy."`
	Bench        benchCommand        `cmd:"" help:"Run one benchmark on this machine beside its own measured limit."`
}

func main() {
	chdb.MaybeServeChild() // the hidden role: the same binary serves the embedded engine
	os.Exit(run(os.Args[1:]))
}

func run(args []string) int {
	var c commands
	parser, err := kong.New(&c,
		kong.Name("dossier"),
		kong.Description("Every contact of a customer on every channel, as one person.\n\nFlags beat DOSSIER_* variables, those beat dossier.yaml."),
		kong.UsageOnError(),
		kong.DefaultEnvars("DOSSIER"),
		kong.Configuration(yamlConfiguration, configurationFile),
	)
	if err != nil {
		fmt.Fprintln(os.Stderr, "dossier:", err)
		return exitMisused
	}
	asked := false
	parser.Exit = func(int) { asked = true }
	parser.Stdout, parser.Stderr = os.Stdout, os.Stderr
	command, err := parser.Parse(args)
	if asked {
		return exitDone
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "dossier:", err)
		fmt.Fprintln(os.Stderr, "see 'dossier --help' or 'dossier COMMAND --help'")
		return exitMisused
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	command.BindTo(ctx, (*context.Context)(nil))
	err = command.Run()
	if err == nil {
		return exitDone
	}
	code := exitFailed
	if e := (*exit)(nil); errors.As(err, &e) {
		code = e.code
	}
	if text := err.Error(); text != "" {
		fmt.Fprintln(os.Stderr, "dossier:", text)
	}
	return code
}
