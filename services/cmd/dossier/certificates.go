package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/dossier-cdp/dossier/services/internal/rpc"
)

type certificatesCommand struct {
	Create certificatesCreate `cmd:"" help:"Make the certificate of a process of an installation of several."`
	List   certificatesList   `cmd:"" help:"List the certificates that were made, and when they end."`
}

func (certificatesCommand) Help() string {
	return "Example: dossier certificates create identity --data ./keeper-data --out ./certificates/identity"
}

// lifetime is a time in days ("30d") or as Go writes durations ("720h").
type lifetime time.Duration

// UnmarshalText reads it.
func (l *lifetime) UnmarshalText(text []byte) error {
	if days, ok := strings.CutSuffix(string(text), "d"); ok {
		n, err := strconv.Atoi(days)
		if err != nil || n < 1 {
			return fmt.Errorf("%s is no number of days, such as 30d", text)
		}
		*l = lifetime(time.Duration(n) * 24 * time.Hour)
		return nil
	}
	d, err := time.ParseDuration(string(text))
	if err != nil || d <= 0 {
		return fmt.Errorf("%s is no time, such as 30d or 12h", text)
	}
	*l = lifetime(d)
	return nil
}

type certificatesCreate struct {
	Name string   `arg:"" help:"The roles of the process, separated by commas, such as identity or collector,api."`
	Data string   `default:"./dossier-data" type:"path" help:"The keeper's data folder; the authority lies in its keys, and is made at the first use." placeholder:"DIR"`
	Out  string   `required:"" type:"path" help:"The folder to write ca.crt, tls.crt and tls.key into; what is there is replaced." placeholder:"FOLDER"`
	For  lifetime `default:"30d" help:"How long it is in force." placeholder:"TIME"`
	JSON bool     `help:"Print JSON."`
}

func (certificatesCreate) Help() string {
	return `Example: dossier certificates create identity --data ./keeper-data --out ./certificates/identity --for 90d

The processes of one installation trust certificates of its own authority alone. Its key, DIR/keys/ca.key, never leaves the keeper's data
folder: run this there, and carry the folder made to the process. A process takes a new certificate at its next start.`
}

// Run makes the certificate.
func (c *certificatesCreate) Run(context.Context) error {
	roles, err := parseRoles(strings.Split(c.Name, ","))
	if err != nil {
		return &exit{exitMisused, err}
	}
	names := make([]string, len(roles))
	for n, r := range roles {
		names[n] = string(r)
	}
	keys := filepath.Join(c.Data, "keys")
	if err := os.MkdirAll(keys, 0o700); err != nil {
		return fmt.Errorf("the data folder %s cannot be made: %w; choose another with --data", c.Data, reason(err))
	}
	authority, err := rpc.OpenAuthority(keys, time.Now())
	if err != nil {
		return err
	}
	issued, err := authority.Certificate(names, c.Out, time.Now(), time.Duration(c.For))
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(issued)
	}
	fmt.Printf("%s: certificate %s for %s until %s\n", c.Out, issued.Serial, strings.Join(issued.Roles, ","), issued.NotAfter.Format(time.RFC3339))
	return nil
}

type certificatesList struct {
	Data string `default:"./dossier-data" type:"path" help:"The keeper's data folder." placeholder:"DIR"`
	JSON bool   `help:"Print JSON."`
}

func (certificatesList) Help() string {
	return "Example: dossier certificates list --data ./keeper-data"
}

// Run lists them.
func (c *certificatesList) Run(context.Context) error {
	all, err := rpc.ReadIssued(filepath.Join(c.Data, "keys"))
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(all)
	}
	for _, one := range all {
		state := "in force"
		if time.Now().After(one.NotAfter) {
			state = "expired"
		}
		fmt.Printf("%s  %-40s %s to %s  %s\n", one.Serial, strings.Join(one.Roles, ","), one.NotBefore.Format(time.RFC3339), one.NotAfter.Format(time.RFC3339), state)
	}
	return nil
}
