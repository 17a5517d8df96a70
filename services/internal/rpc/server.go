package rpc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"connectrpc.com/connect"

	"github.com/dossier-cdp/dossier/schema"
)

// Version of the calls between roles. Processes of another one are refused.
const Version = 1

const versionHeader = "Dossier-Rpc-Version"

// maxMessage bounds one message. Longer answers are streams.
const maxMessage = 64 << 20

// Server answers calls. Handlers are added before Serve.
type Server struct {
	identity *Identity
	version  int
	mux      *http.ServeMux
	describe func(error) *Error
	options  []connect.HandlerOption
	http     *http.Server
}

// NewServer makes a server that shows an identity. describe, if not nil, gives the code, message and hint of errors that it knows, and nil
// for others.
func NewServer(identity *Identity, describe func(error) *Error, logger *slog.Logger) *Server {
	s := &Server{identity: identity, version: Version, mux: http.NewServeMux(), describe: describe}
	s.options = []connect.HandlerOption{connect.WithCodec(codec{}), connect.WithReadMaxBytes(maxMessage), connect.WithCompression("gzip", nil, nil)}
	s.http = &http.Server{
		Handler: s.checked(s.mux), TLSConfig: identity.server(), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute,
		ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
		HTTP2:    &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingAfter},
	}
	return s
}

// Serve answers on a listener until Close.
func (s *Server) Serve(listener net.Listener) error {
	if err := s.http.ServeTLS(listener, "", ""); err != nil && !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the other roles: %w", err)
	}
	return nil
}

// Close ends all calls.
func (s *Server) Close() error { return s.http.Close() }

// checked refuses calls of another version, and certificates that were in force when the connection was made.
func (s *Server) checked(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := s.mayCall(r); err != nil {
			refuse(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

var refusals = connect.NewErrorWriter(connect.WithCodec(codec{}))

// refuse answers an error before a call is read.
func refuse(w http.ResponseWriter, r *http.Request, err error) {
	if failed := refusals.Write(w, r, err); failed != nil {
		http.Error(w, err.Error(), http.StatusPreconditionFailed) // not a caller of ours, who would take Connect's form
	}
}

func (s *Server) mayCall(r *http.Request) error {
	if err := s.identity.own(); err != nil {
		return connect.NewError(connect.CodeUnauthenticated, err)
	}
	if err := inForce(r.TLS.PeerCertificates[0], s.identity.now()); err != nil {
		return connect.NewError(connect.CodeUnauthenticated, fmt.Errorf("the caller's certificate %w: make a new one with 'dossier certificates create', and start again", err))
	}
	theirs, err := strconv.Atoi(r.Header.Get(versionHeader))
	switch {
	case err != nil:
		return connect.NewError(connect.CodeFailedPrecondition, errors.New("the caller names no version of dossier's calls: only dossier processes are answered here"))
	case theirs < s.version:
		return connect.NewError(connect.CodeFailedPrecondition, fmt.Errorf("the calling process speaks version %d, %s speaks %d: upgrade the caller's dossier", theirs, r.Host, s.version))
	case theirs > s.version:
		return connect.NewError(connect.CodeFailedPrecondition, fmt.Errorf("the calling process speaks version %d, %s speaks %d: upgrade the dossier at %s", theirs, r.Host, s.version, r.Host))
	}
	return nil
}

// only lets callers of some roles pass; no roles: any.
func only(roles []string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		named := rolesOf(r.TLS.PeerCertificates[0])
		if len(roles) > 0 && !slices.ContainsFunc(roles, func(role string) bool { return slices.Contains(named, role) }) {
			refuse(w, r, connect.NewError(connect.CodePermissionDenied, fmt.Errorf("the caller's certificate is for %s, which may not ask for %s", strings.Join(named, ","), r.Pattern))) // a path may name a customer
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Handle adds a plain HTTP handler for the paths of a pattern, beside the calls. roles are those whose certificates may use it.
func Handle(s *Server, pattern string, roles []string, h http.Handler) {
	s.mux.Handle(pattern, only(roles, h))
}

// Answer adds a call with one answer. roles are those whose certificates may call it; none: all of the installation's.
func Answer[Req, Res any](s *Server, procedure string, roles []string, f func(ctx context.Context, req *Req) (*Res, error)) {
	s.mux.Handle(procedure, only(roles, connect.NewUnaryHandler(procedure, func(ctx context.Context, req *connect.Request[Req]) (*connect.Response[Res], error) {
		res, err := f(ctx, req.Msg)
		if err != nil {
			return nil, onWire(err, s.describe)
		}
		return connect.NewResponse(res), nil
	}, s.options...)))
}

// Stream adds a call with any number of answers.
func Stream[Req, Res any](s *Server, procedure string, roles []string, f func(ctx context.Context, req *Req, send func(*Res) error) error) {
	s.mux.Handle(procedure, only(roles, connect.NewServerStreamHandler(procedure, func(ctx context.Context, req *connect.Request[Req], stream *connect.ServerStream[Res]) error {
		send := func(res *Res) error { return schema.Classify(schema.Transient, stream.Send(res)) }
		if err := f(ctx, req.Msg, send); err != nil {
			return onWire(err, s.describe)
		}
		return nil
	}, s.options...)))
}
