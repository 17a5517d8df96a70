package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/dossier-cdp/dossier/pipelines/channel/webhook"
	"github.com/dossier-cdp/dossier/pipelines/configuration"
)

// secret resolves secret:NAME, as configuration and addresses name what must not stand in them: the environment first, then keys/NAME in the
// data folder.
func (f *folder) secret(name string) (string, error) {
	if value, set := os.LookupEnv(name); set {
		return cleanSecret([]byte(value), "the secret in the environment variable "+name)
	}
	path := f.path("keys", name)
	value, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", &missingSecret{name, path}
	}
	if err != nil {
		return "", fmt.Errorf("the secret in %s cannot be read: %w", path, reason(err))
	}
	return cleanSecret(value, "the secret in "+path)
}

// missingSecret says that a secret is nowhere.
type missingSecret struct{ name, path string }

func (e *missingSecret) Error() string {
	return fmt.Sprintf("there is neither an environment variable %s nor a file %s: put the secret into one of them", e.name, e.path)
}

// cleanSecret is a secret as it was meant. Editors and secret stores end a file with a newline, which is no part of it; any other space at its
// ends or line within is a mistake that nobody would find later.
func cleanSecret(value []byte, what string) (string, error) {
	value = bytes.TrimSuffix(bytes.TrimSuffix(value, []byte("\n")), []byte("\r"))
	if len(bytes.TrimSpace(value)) != len(value) || bytes.ContainsAny(value, "\r\n\x00") {
		return "", fmt.Errorf("%s begins or ends with a space or a line break, or has several lines: write it without", what)
	}
	return string(value), nil
}

// hookSecrets resolves the secrets that a source's webhooks are signed with.
func (f *folder) hookSecrets(names []string) ([]string, error) {
	values := make([]string, len(names))
	for n, reference := range names {
		name, ok := webhook.SecretName(reference)
		if !ok {
			return nil, errors.New("a secret is not written as secret:NAME")
		}
		var err error
		if values[n], err = f.secret(name); err != nil {
			return nil, err
		}
		if values[n] == "" {
			return nil, fmt.Errorf("the secret %s is empty", name)
		}
	}
	return values, nil
}

// checkHooks refuses secrets that cannot be meant so, at the start. One that is missing is named and no more: only its source waits for it.
func (i *installation) checkHooks(c *configuration.Configuration) error {
	for _, source := range c.SourceNames() {
		hook := c.Hooks[source]
		if hook == nil {
			continue
		}
		values, err := i.folder.hookSecrets(hook.Signature.Secrets)
		if missing := (*missingSecret)(nil); errors.As(err, &missing) {
			i.logger.Warn("webhooks of a source cannot be verified", "source", source, "error", err)
			continue
		}
		if err != nil {
			return fmt.Errorf("webhooks of the source %s: %w", source, err)
		}
		bad := slices.IndexFunc(values, func(value string) bool { return hook.Signature.CheckSecret(value) != nil })
		if bad >= 0 {
			return fmt.Errorf("webhooks of the source %s: the value of %s is no secret of Standard Webhooks: write it as the provider shows it, whsec_ and base64", source, hook.Signature.Secrets[bad])
		}
	}
	return nil
}
