package archive

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"strings"

	"github.com/dossier-cdp/dossier/schema"
)

// Secrets resolves the NAME of secret:NAME.
type Secrets func(name string) (string, error)

// Open opens the archive at a location: the path of a folder, or
//
//	s3://BUCKET/PREFIX?endpoint=https://HOST:PORT&region=REGION&credentials=secret:NAME&lookup=path|dns
//
// Every parameter may be left out. Without endpoint it is Amazon's; an endpoint without a scheme is reached over TLS. Without
// credentials they are AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and, if set, AWS_SESSION_TOKEN; a named secret is
// ACCESSKEY:SECRETKEY. They never stand in the location, which is shown and logged. Open asks the bucket once, so that what is
// wrong with name, credentials or network is said at the start, in one line; a network that fails is transient.
func Open(ctx context.Context, location string, secrets Secrets) (Store, error) {
	if !strings.HasPrefix(location, "s3://") {
		if scheme, _, found := strings.Cut(location, "://"); found {
			return nil, wrong("the archive cannot be kept at %s://: give the path of a folder, or s3://BUCKET/PREFIX", scheme)
		}
		return OpenFolder(location)
	}
	config, err := parseS3(location, secrets, os.Getenv)
	if err != nil {
		return nil, err
	}
	return OpenS3(ctx, config)
}

func wrong(format string, args ...any) error {
	return schema.Classify(schema.Fatal, fmt.Errorf(format, args...))
}

func parseS3(location string, secrets Secrets, env func(string) string) (S3Config, error) {
	var c S3Config
	u, err := url.Parse(location)
	if err != nil {
		// The error of url.Parse shows the location whole, and somebody may have put a secret into it.
		return c, wrong("the archive's location is no URL: write s3://BUCKET/PREFIX?endpoint=https://HOST:PORT&region=REGION")
	}
	if u.User != nil {
		return c, wrong("the archive's location contains credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or write credentials=secret:NAME")
	}
	c.Bucket, c.Prefix = u.Host, strings.Trim(u.Path, "/")
	if c.Bucket == "" {
		return c, wrong("the archive's location names no bucket: write s3://BUCKET/PREFIX")
	}
	for name, values := range u.Query() {
		value := values[len(values)-1]
		switch name {
		case "endpoint":
			c.Endpoint = value
		case "region":
			c.Region = value
		case "lookup":
			if value != "path" && value != "dns" {
				return c, wrong("the archive's location says lookup=%s: it is path (HOST/BUCKET) or dns (BUCKET.HOST)", value)
			}
			c.PathLookup = value == "path"
		case "credentials":
			if err := c.namedCredentials(value, secrets); err != nil {
				return c, err
			}
		default:
			return c, wrong("the archive's location has an unknown parameter %q: there are endpoint, region, credentials and lookup", name)
		}
	}
	if c.AccessKey == "" {
		c.AccessKey, c.SecretKey, c.SessionToken = env("AWS_ACCESS_KEY_ID"), env("AWS_SECRET_ACCESS_KEY"), env("AWS_SESSION_TOKEN")
	}
	if c.AccessKey == "" || c.SecretKey == "" {
		return c, wrong("there are no credentials for the archive: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or write credentials=secret:NAME in its location")
	}
	for _, s := range []string{c.AccessKey, c.SecretKey, c.SessionToken} {
		if s != strings.TrimSpace(s) {
			return c, wrong("a credential of the archive begins or ends with a space or a newline: remove it")
		}
	}
	return c, nil
}

func (c *S3Config) namedCredentials(value string, secrets Secrets) error {
	name, named := strings.CutPrefix(value, "secret:")
	if !named || secrets == nil {
		return wrong("the archive's credentials are named as secret:NAME, never written out")
	}
	text, err := secrets(name)
	if err != nil {
		return wrong("read the archive's credentials secret:%s: %w", name, err)
	}
	access, secret, both := strings.Cut(strings.TrimRight(text, "\r\n"), ":")
	if !both {
		return wrong("secret:%s is not of the form ACCESSKEY:SECRETKEY", name)
	}
	c.AccessKey, c.SecretKey = access, secret
	return nil
}
