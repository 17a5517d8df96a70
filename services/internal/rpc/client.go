package rpc

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"strconv"
	"time"

	"connectrpc.com/connect"

	"github.com/dossier-cdp/dossier/schema"
)

const (
	dialWithin = 3 * time.Second
	// pingAfter is how long a connection may be silent before it is asked for a sign of life, and how long that may take.
	pingAfter = 2 * time.Second
	// alertWithin is how long a failed call asks for the reason.
	alertWithin = 500 * time.Millisecond
)

// Client calls one process in one of its roles. It is safe for concurrent use, and connects when it is first used.
type Client struct {
	identity  *Identity
	version   int
	role      string
	address   string
	transport *http.Transport
}

// NewClient prepares calls to a process at HOST:PORT, whose certificate must name the role.
func NewClient(identity *Identity, role, address string) *Client {
	protocols := new(http.Protocols)
	protocols.SetHTTP2(true)
	return &Client{identity: identity, version: Version, role: role, address: address, transport: &http.Transport{
		TLSClientConfig: identity.client(role), Protocols: protocols, TLSHandshakeTimeout: dialWithin,
		DialContext:     (&net.Dialer{Timeout: dialWithin}).DialContext,
		IdleConnTimeout: 2 * time.Minute, DisableCompression: true,
		HTTP2: &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingAfter},
	}}
}

// Address is where the process is.
func (c *Client) Address() string { return c.address }

// Close ends the connections that no call uses.
func (c *Client) Close() { c.transport.CloseIdleConnections() }

// RoundTrip names our version, and says in words what is wrong with certificates.
func (c *Client) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := c.identity.own(); err != nil {
		return nil, schema.Classify(schema.Fatal, err)
	}
	r = r.Clone(r.Context())
	r.Header.Set(versionHeader, strconv.Itoa(c.version))
	res, err := c.transport.RoundTrip(r)
	if err != nil {
		if why := untrusted(errors.Join(err, c.alert(r.Context())), c.role, c.address); why != nil {
			return nil, schema.Classify(schema.Fatal, why)
		}
	}
	return res, err
}

// alert connects once more to hear whether the other side refuses our certificate: in TLS 1.3 it says so after our handshake has ended,
// and what came of that is all that HTTP/2 tells.
func (c *Client) alert(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, alertWithin)
	defer cancel()
	conn, err := (&tls.Dialer{Config: c.transport.TLSClientConfig}).DialContext(ctx, "tcp", c.address)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetReadDeadline(time.Now().Add(alertWithin)); err != nil {
		return err
	}
	_, err = conn.Read(make([]byte, 1)) // the server's settings, if it takes us
	return err
}

// failed makes an error of what Connect reports.
func (c *Client) failed(err error) error {
	if err == nil {
		return nil
	}
	if why := untrusted(err, c.role, c.address); why != nil { // it came while an answer was read
		return schema.Classify(schema.Fatal, why)
	}
	return received(err)
}

func options() []connect.ClientOption {
	return []connect.ClientOption{connect.WithCodec(codec{}), connect.WithReadMaxBytes(maxMessage), connect.WithAcceptCompression("gzip", nil, nil)}
}

// Call makes a call with one answer.
func Call[Req, Res any](ctx context.Context, c *Client, procedure string, req *Req) (*Res, error) {
	client := connect.NewClient[Req, Res](&http.Client{Transport: c}, "https://"+c.address+procedure, options()...)
	res, err := client.CallUnary(ctx, connect.NewRequest(req))
	if err != nil {
		return nil, c.failed(err)
	}
	return res.Msg, nil
}

// Follow makes a call with any number of answers, and hands each to a function until it fails. An answer is the function's only until it
// returns.
func Follow[Req, Res any](ctx context.Context, c *Client, procedure string, req *Req, each func(*Res) error) (err error) {
	client := connect.NewClient[Req, Res](&http.Client{Transport: c}, "https://"+c.address+procedure, options()...)
	stream, err := client.CallServerStream(ctx, connect.NewRequest(req))
	if err != nil {
		return c.failed(err)
	}
	defer func() {
		if closed := stream.Close(); err == nil && closed != nil && !errors.Is(closed, context.Canceled) {
			err = c.failed(closed)
		}
	}()
	for stream.Receive() {
		if err := each(stream.Msg()); err != nil {
			return err
		}
	}
	return c.failed(stream.Err())
}
