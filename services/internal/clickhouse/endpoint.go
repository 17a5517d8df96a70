package clickhouse

import (
	"crypto/tls"
	"net/url"
)

// Endpoint is where a connection asks and as whom, for what passes requests of ClickHouse's HTTP interface on.
type Endpoint struct {
	URL                      url.URL // without user and database
	User, Password, Database string
	TLS                      *tls.Config // nil: none
}

// Endpoint gives the endpoint of the connection. It holds the password: never log it.
func (c *Conn) Endpoint() Endpoint {
	e := Endpoint{
		URL:  url.URL{Scheme: "http", Host: c.options.Addr[0], Path: c.options.HttpUrlPath},
		User: c.options.Auth.Username, Password: c.options.Auth.Password, Database: c.database, TLS: c.options.TLS,
	}
	if e.TLS != nil {
		e.URL.Scheme = "https"
	}
	return e
}
