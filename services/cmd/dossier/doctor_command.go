package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/dossier-cdp/dossier/services/api/manage"
)

type doctorCommand struct {
	target
	JSON bool `help:"Print JSON."`
}

func (doctorCommand) Help() string { return "Example: dossier doctor\n\nExit 1 if any check fails." }

func (c *doctorCommand) Run(ctx context.Context) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	var checks []manage.Check
	if err := api.call(ctx, http.MethodGet, "/v1/doctor", nil, &checks); err != nil {
		return err
	}
	failed := 0
	for _, k := range checks {
		if !k.OK {
			failed++
		}
	}
	if c.JSON {
		if err := printJSON(checks); err != nil {
			return err
		}
	} else {
		for _, k := range checks {
			mark := "ok    "
			if !k.OK {
				mark = "FAILED"
			}
			line := fmt.Sprintf("%s  %-12s %s", mark, k.Name, k.Detail)
			if k.Hint != "" {
				line += ": " + k.Hint
			}
			fmt.Println(line)
		}
	}
	if failed > 0 {
		return &exit{exitFailed, errors.New("a check failed")}
	}
	return nil
}
