package clickhouse

import (
	"context"
	"crypto/tls"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	driver "github.com/ClickHouse/clickhouse-go/v2"

	"github.com/dossier-cdp/dossier/schema"
)

// ErrNoRows is what QueryRow returns when there is none.
var ErrNoRows = sql.ErrNoRows

// Config says where the server is.
type Config struct {
	// URL is http:// or https://, host, port (8123 or 8443 when absent) and an optional path. User, password and
	// database may stand in it (https://user:secret@host:8443/?database=name); the fields below win.
	URL      string
	User     string
	Password string
	// Database is made when it does not exist. Empty means `default`.
	Database string
	// MaxConns bounds the requests in flight; 0 means 16.
	MaxConns int
}

// Settings are engine settings of one statement, such as max_execution_time, max_threads or readonly.
type Settings map[string]any

// Conn is a pool of connections to one database. It is safe for concurrent use.
type Conn struct {
	conn     driver.Conn
	options  *driver.Options
	database string

	streams streams

	mu      sync.Mutex
	columns map[string][]driver.ColumnNameAndType // of tables that were inserted into
}

const (
	defaultMaxConns = 16
	// connLife also bounds how long a connection keeps the buffer of its largest batch.
	connLife = 10 * time.Minute
	// A request waits this long for a free connection, and a connect this long for an answer: longer than the embedded
	// engine needs to restart.
	connWithin = 30 * time.Second
)

// Open connects and makes the database. Errors are classed: a server that is away is transient, one that refuses is fatal.
func Open(ctx context.Context, config Config) (*Conn, error) {
	options, err := driverOptions(config)
	if err != nil {
		return nil, schema.Classify(schema.Fatal, err)
	}
	if name := options.Auth.Database; name != "" && name != "default" {
		// A connection that names an absent database is refused.
		bare := *options
		bare.Auth.Database = ""
		bare.MaxOpenConns, bare.MaxIdleConns = 1, 1
		if err := createDatabase(ctx, &bare, name); err != nil {
			return nil, err
		}
	}
	conn, err := driver.Open(options)
	if err != nil {
		return nil, failed("open ClickHouse at "+address(options), err)
	}
	if err := conn.Ping(ctx); err != nil {
		return nil, errors.Join(failed("reach ClickHouse at "+address(options), err), conn.Close())
	}
	if err := supported(conn, options); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return &Conn{conn: conn, options: options, database: firstOf(options.Auth.Database, "default"), columns: map[string][]driver.ColumnNameAndType{}}, nil
}

// The oldest version of ClickHouse that is taken. It is the one that everything is tested on.
const oldestMajor, oldestMinor = 26, 7

// supported refuses a server that is too old.
func supported(conn driver.Conn, options *driver.Options) error {
	v, err := conn.ServerVersion()
	if err != nil {
		return failed("ask ClickHouse at "+address(options)+" for its version", err)
	}
	return tooOld(address(options), int(v.Version.Major), int(v.Version.Minor))
}

// tooOld refuses a version.
func tooOld(at string, major, minor int) error {
	if major > oldestMajor || major == oldestMajor && minor >= oldestMinor {
		return nil
	}
	return schema.Classify(schema.Fatal, fmt.Errorf("ClickHouse at %s has version %d.%d, and %d.%d or newer is needed: upgrade that server, or give another one with --clickhouse",
		at, major, minor, oldestMajor, oldestMinor))
}

func createDatabase(ctx context.Context, options *driver.Options, name string) error {
	conn, err := driver.Open(options)
	if err != nil {
		return failed("open ClickHouse at "+address(options), err)
	}
	if err := supported(conn, options); err != nil {
		return errors.Join(err, conn.Close())
	}
	err = conn.Exec(ctx, "CREATE DATABASE IF NOT EXISTS "+QuoteName(name))
	if closed := conn.Close(); err == nil {
		err = closed
	}
	return failed("make database "+name+" at "+address(options), err)
}

// driverOptions reads the configuration; its errors never show the password.
func driverOptions(config Config) (*driver.Options, error) {
	u, err := url.Parse(config.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("the ClickHouse address must look like http://host:8123 or https://user:secret@host:8443")
	}
	secret, _ := u.User.Password()
	o := &driver.Options{
		Protocol: driver.HTTP,
		Addr:     []string{u.Host},
		Auth: driver.Auth{
			Database: firstOf(config.Database, u.Query().Get("database")),
			Username: firstOf(config.User, u.User.Username(), "default"),
			Password: firstOf(config.Password, secret),
		},
		Settings: driver.Settings{
			// From 26.x on, servers gather inserts in a queue, unless told not to.
			"async_insert": 0,
			// Times without a zone, in parameters and columns, mean UTC, whatever the server's own zone is.
			"session_timezone": "UTC",
		},
		Compression:     &driver.Compression{Method: driver.CompressionLZ4},
		DialTimeout:     connWithin,
		MaxOpenConns:    config.MaxConns,
		ConnMaxLifetime: connLife,
		HttpUrlPath:     strings.Trim(u.Path, "/"),
		TransportFunc:   func(t *http.Transport) (http.RoundTripper, error) { return &transport{t}, nil },
	}
	if o.MaxOpenConns <= 0 {
		o.MaxOpenConns = defaultMaxConns
	}
	o.MaxIdleConns = o.MaxOpenConns
	port := "8123"
	if u.Scheme == "https" {
		o.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
		port = "8443"
	}
	if u.Port() == "" {
		o.Addr[0] = net.JoinHostPort(u.Hostname(), port)
	}
	if isLoopback(u.Hostname()) {
		o.Compression.Method = driver.CompressionNone // costs more than it saves within a machine
	}
	return o, nil
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

func address(o *driver.Options) string { return o.Addr[0] }

func firstOf(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

// Database is the name of the database that statements run in.
func (c *Conn) Database() string { return c.database }

// Close closes the pool; statements in flight fail.
func (c *Conn) Close() error { return failed("close ClickHouse", c.conn.Close()) }

// Ping asks the server for a sign of life.
func (c *Conn) Ping(ctx context.Context) error { return failed("reach ClickHouse", c.conn.Ping(ctx)) }

// Version is the server's version, such as 26.7.2.
func (c *Conn) Version() (string, error) {
	v, err := c.conn.ServerVersion()
	if err != nil {
		return "", failed("ask ClickHouse for its version", err)
	}
	return fmt.Sprintf("%d.%d.%d", v.Version.Major, v.Version.Minor, v.Version.Patch), nil
}

// Exec runs a statement without an answer: DDL, ALTER, INSERT … SELECT. It returns when the server is done.
func (c *Conn) Exec(ctx context.Context, sql string, params Params, settings Settings) error {
	ctx, err := c.prepare(ctx, params, settings, false)
	if err != nil {
		return err
	}
	return failed("run a statement", c.conn.Exec(ctx, sql))
}

// Query runs a read. Parameters stand in the text as {name:Type}. A deadline of ctx also stops the query on the server.
// Close the rows; leaving them early stops the query.
func (c *Conn) Query(ctx context.Context, sql string, params Params, settings Settings) (*Rows, error) {
	ctx, cancel := context.WithCancel(ctx)
	ctx, err := c.prepare(ctx, params, settings, true)
	if err != nil {
		cancel()
		return nil, err
	}
	rows, err := c.conn.Query(ctx, sql)
	if err != nil {
		cancel()
		return nil, failed("query", err)
	}
	return &Rows{rows: rows, cancel: cancel}, nil
}

// QueryRow runs a read and scans its first row; ErrNoRows when there is none.
func (c *Conn) QueryRow(ctx context.Context, sql string, params Params, settings Settings, dest ...any) error {
	rows, err := c.Query(ctx, sql, params, settings)
	if err != nil {
		return err
	}
	defer rows.Close()
	if !rows.Next() {
		if err := rows.Err(); err != nil {
			return err
		}
		return ErrNoRows
	}
	if err := rows.Scan(dest...); err != nil {
		return err
	}
	return rows.Close()
}

func (c *Conn) prepare(ctx context.Context, params Params, settings Settings, replayable bool) (context.Context, error) {
	merged := driver.Settings{}
	maps.Copy(merged, settings)
	ctx = bounded(ctx, merged)
	options := []driver.QueryOption{driver.WithSettings(merged)}
	if len(params) > 0 {
		texts, err := params.texts()
		if err != nil {
			return ctx, err
		}
		options = append(options, driver.WithParameters(texts))
	}
	if replayable {
		ctx = context.WithValue(ctx, replayableKey{}, true)
	}
	return driver.Context(ctx, options...), nil
}

// bounded makes the server stop a statement soon after the deadline of ctx, unless the caller set a limit. The driver would do
// so too, but overrule the caller's: it does not get to see the deadline.
func bounded(ctx context.Context, settings driver.Settings) context.Context {
	deadline, ok := ctx.Deadline()
	if !ok {
		return ctx
	}
	if _, set := settings["max_execution_time"]; !set {
		settings["max_execution_time"] = int64(max(0, time.Until(deadline))/time.Second) + 2
	}
	return withoutDeadline{ctx}
}

// withoutDeadline ends with its parent and does not say when.
type withoutDeadline struct{ context.Context }

func (withoutDeadline) Deadline() (time.Time, bool) { return time.Time{}, false }

// QuoteName is a SQL identifier, for names that do not come from our own code.
func QuoteName(name string) string {
	return "`" + strings.NewReplacer(`\`, `\\`, "`", "\\`").Replace(name) + "`"
}

// tableColumns asks for the types of the columns once: the driver would ask before every batch.
func (c *Conn) tableColumns(ctx context.Context, table string, columns []string) ([]driver.ColumnNameAndType, error) {
	key := table + "\x00" + strings.Join(columns, "\x00")
	c.mu.Lock()
	known := c.columns[key]
	c.mu.Unlock()
	if known != nil {
		return known, nil
	}
	rows, err := c.Query(ctx, "DESCRIBE TABLE "+table, nil, nil)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	types := map[string]string{}
	for rows.Next() {
		var name, kind, ignored string
		if err := rows.Scan(&name, &kind, &ignored, &ignored, &ignored, &ignored, &ignored); err != nil {
			return nil, err
		}
		types[name] = kind
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	for _, name := range columns {
		kind, ok := types[name]
		if !ok {
			return nil, schema.Classify(schema.Fatal, fmt.Errorf("table %s has no column %s: is the program newer than the database?", table, strconv.Quote(name)))
		}
		if kind == "LowCardinality(String)" {
			kind = "String" // the server makes the dictionary at a tenth of what it costs the driver
		}
		known = append(known, driver.ColumnNameAndType{Name: name, Type: kind})
	}
	c.mu.Lock()
	c.columns[key] = known
	c.mu.Unlock()
	return slices.Clone(known), nil
}

// forgetColumns makes the next batch ask again: a refused one may mean that the table has changed.
func (c *Conn) forgetColumns() {
	c.mu.Lock()
	clear(c.columns)
	c.mu.Unlock()
}
