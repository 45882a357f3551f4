package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/memberd/memberd/internal/access"
	"github.com/memberd/memberd/internal/envelope"
	"github.com/memberd/memberd/internal/gateway"
	"github.com/memberd/memberd/internal/sign"
	"github.com/memberd/memberd/internal/sms"
	"github.com/memberd/memberd/internal/store/migration"
	"github.com/memberd/memberd/internal/store/sqldb"
	"github.com/memberd/memberd/internal/web"
	"github.com/memberd/memberd/internal/writer"
)

// exitNow is os.Exit: for the one case where nothing else ends the process.
var exitNow = os.Exit

// doors are both protocols on one writer.
func (pl *platform) doors(w *writer.Writer, texts *sms.Service) ([]web.Door, error) {
	codes, err := pl.codes()
	if err != nil {
		return nil, fmt.Errorf("member codes: %w", err)
	}
	guesses := &access.Guesses{}
	return []web.Door{
		{
			Name: "gateway", Prefix: gateway.Prefix, TurnAway: gateway.TurnAway, App: pl.gatewayApp,
			Handler: gateway.New(gateway.Options{
				Writer: w, Reader: pl.store, Access: pl.access, Codes: codes, Advance: pl.advancer(w), SMS: texts, Guesses: guesses, Logger: pl.logger, Attribute: web.Annotate,
			}),
		},
		{
			Name: "envelope", Prefix: "/member/", TurnAway: envelope.TurnAway, App: envelopeApp,
			Handler: envelope.New(envelope.Options{
				Writer: w, Reader: pl.store, Access: pl.access, Codes: codes, SMS: texts, Guesses: guesses, Logger: pl.logger, Attribute: web.Annotate,
			}),
		},
	}, nil
}

// gatewayApp is the app whose token a gateway call shows, or the app that a
// token call names.
func (pl *platform) gatewayApp(r *http.Request) string {
	params, err := sign.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return ""
	}
	query := sign.Values(params)
	if app, err := pl.access.AppByToken(r.Context(), query.Get("access_token")); err == nil {
		return app.ID
	}
	if refresh, err := pl.access.RefreshToken(r.Context(), query.Get("refresh_token")); err == nil {
		return refresh.App.ID
	}
	return query.Get("app_id")
}

// envelopeApp is the app that an envelope names. The body has been bounded, and
// is put back as it was read, with the error that ended it.
func envelopeApp(r *http.Request) string {
	body, err := io.ReadAll(r.Body)
	rest := r.Body
	r.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(body), failing{err}), rest}
	if err != nil {
		return ""
	}
	return envelope.AppID(body)
}

// failing is a reader that ends with an error.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) {
	if f.err == nil {
		return 0, io.EOF
	}
	return 0, f.err
}

// checks are what /readyz asks.
func checks(db *sqldb.DB, w *writer.Writer) []web.Check {
	return []web.Check{
		{Name: "database", Run: db.Ping},
		{Name: "migrations", Run: func(ctx context.Context) error {
			have, want, err := migration.Current(ctx, db)
			if err == nil && have != want {
				err = fmt.Errorf("the database is at version %d, this release works with %d", have, want)
			}
			return err
		}},
		{Name: "queue", Run: func(context.Context) error { return w.Ready() }},
	}
}

// watch shows the queue and the database in the metrics.
func watch(m *web.Metrics, db *sqldb.DB, w *writer.Writer) {
	m.Gauge("memberd_writer_queue_length", "Changes that wait for the writer.", func() float64 { return float64(w.Waiting()) })
	m.Gauge("memberd_writer_ready", "1 when changes are taken.", func() float64 {
		if w.Ready() != nil {
			return 0
		}
		return 1
	})
	if pool := db.Pool(); pool != nil {
		m.Gauge("memberd_database_connections_max", "Most connections to PostgreSQL.", func() float64 { return float64(pool.Stat().MaxConns()) })
		m.Gauge("memberd_database_connections_open", "Open connections to PostgreSQL.", func() float64 { return float64(pool.Stat().TotalConns()) })
		m.Gauge("memberd_database_connections_busy", "Connections to PostgreSQL in use.", func() float64 { return float64(pool.Stat().AcquiredConns()) })
		m.Counter("memberd_database_waits_total", "How often a connection had to be waited for.", func() float64 { return float64(pool.Stat().EmptyAcquireCount()) })
		m.Counter("memberd_database_wait_seconds_total", "Time waited for connections.", func() float64 { return pool.Stat().AcquireDuration().Seconds() })
		return
	}
	m.Gauge("memberd_database_file_bytes", "Size of the SQLite file.", func() float64 { return fileSize(db.Path()) })
	m.Gauge("memberd_database_log_bytes", "Size of SQLite's write-ahead log.", func() float64 { return fileSize(db.Path() + "-wal") })
}

// fileSize is 0 for a file that is not there: the log is only while it is used.
func fileSize(path string) float64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return float64(info.Size())
}
