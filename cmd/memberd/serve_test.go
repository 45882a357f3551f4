package main

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/memberd/memberd/internal/store/sqldb"
)

// exec runs SQL on the rig's SQLite file beside whatever else uses it.
func (r *rig) exec(query string, args ...any) {
	r.t.Helper()
	db, err := sqldb.Open(context.Background(), "sqlite:"+r.path("memberd.db"))
	if err != nil {
		r.t.Fatal(err)
	}
	defer db.Close()
	pool, err := db.OpenSQL()
	if err != nil {
		r.t.Fatal(err)
	}
	defer pool.Close()
	result, err := pool.Exec(query, args...)
	if err != nil {
		r.t.Fatal(err)
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		r.t.Fatal(query, "changed nothing", err, sql.ErrNoRows)
	}
}

func TestReadiness(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := r.serve()
	expect := func(status int, want string) {
		t.Helper()
		if got, body := s.get("/readyz"); got != status || body != want+"\n" {
			t.Errorf("%d %s, want %d %s", got, body, status, want)
		}
	}
	expect(200, `{"ready":true,"checks":{"database":"ok","migrations":"ok","queue":"ok","serving":"ok"}}`)
	r.exec("INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, 1)")
	expect(503, `{"ready":false,"checks":{"database":"ok","migrations":"red","queue":"ok","serving":"ok"}}`)
	r.refused(exitNo, "migrated by a newer release", "check")
	r.exec("DELETE FROM goose_db_version WHERE version_id = 99999")
	expect(200, `{"ready":true,"checks":{"database":"ok","migrations":"ok","queue":"ok","serving":"ok"}}`)
	if status, body := s.get("/metrics"); status != 200 || !strings.Contains(body, "memberd_writer_queue_length 0") || !strings.Contains(body, "memberd_database_file_bytes") {
		t.Error(status)
	}
	if status, _ := s.get("/nowhere"); status != 404 {
		t.Error(status)
	}
}

// What was accepted is finished: a request whose body is half sent when SIGTERM
// comes is answered, while nobody else gets in.
func TestDrain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.unsignedApp()
	s := r.serve()
	address := strings.TrimPrefix(s.url, "http://")
	conn, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	body := registration("15623261994")
	// The 100 says that the server is inside the call.
	fmt.Fprintf(conn, "POST /member/register/mobile HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", len(body))
	reader := bufio.NewReader(conn)
	if line, err := reader.ReadString('\n'); err != nil || !strings.Contains(line, "100 Continue") {
		t.Fatal(line, err)
	}
	if _, err := reader.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(conn, body[:10])
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(patience); ; {
		other, err := net.Dial("tcp", address)
		if err != nil {
			break // nobody gets in any more
		}
		other.Close()
		if time.Now().After(deadline) {
			t.Fatal("still accepting")
		}
	}
	fmt.Fprint(conn, body[10:])
	answer, err := http.ReadResponse(reader, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || decode(t, string(text))["statusCode"] != "100" {
		t.Errorf("%s %v", text, err)
	}
	if code := s.stop(); code != 0 {
		t.Errorf("exit code %d\n%s", code, s.log)
	}
}

// A client that never finishes does not keep the process from ending in time.
func TestDrainIsBounded(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := r.serve()
	conn, err := net.DialTimeout("tcp", strings.TrimPrefix(s.url, "http://"), patience)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	fmt.Fprint(conn, "POST /member/getMembers HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 100\r\n\r\n")
	if line, err := bufio.NewReader(conn).ReadString('\n'); err != nil || !strings.Contains(line, "100 Continue") {
		t.Fatal(line, err)
	}
	began := time.Now()
	if code := s.stop(); code != 0 || time.Since(began) > 10*time.Second {
		t.Errorf("exit code %d after %s\n%s", code, time.Since(began), s.log)
	}
}

// unsignedApp makes merchant 1864 with the unsigned app of the documents, and a
// signing one whose credentials' file it returns.
func (r *rig) unsignedApp() string {
	r.t.Helper()
	file := r.app(demoMerchant)
	r.on("app", "create", "--merchant", demoMerchant, "--name", "x", "--id", demoUnsigned, "--unsigned")
	return file
}

// registration is an envelope of the unsigned demo app, as the document has it.
func registration(mobile string) string {
	return `{"appId":"` + demoUnsigned + `","partnerId":"1864","requestBody":"{'partnerId':'1864','mobile':'` + mobile +
		`','channelCode':'dcxcx','registerType':'2','unionId':'u` + mobile + `'}","sign":"skip","ver":1}`
}

func (s *server) post(path, body string) (status int, answer string) {
	s.rig.t.Helper()
	r, err := http.Post(s.url+path, "application/json", strings.NewReader(body))
	if err != nil {
		s.rig.t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		s.rig.t.Fatal(err)
	}
	return r.StatusCode, string(text)
}

// An app over its rate hears so in the form of the door it called.
func TestRateLimit(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.env = []string{"MEMBERD_RATE_LIMIT_PER_SECOND=1", "MEMBERD_RATE_LIMIT_BURST=1"}
	app := r.unsignedApp()
	s := r.serve()
	for at, want := range []int{200, 429} {
		status, body := s.post("/member/register/mobile", registration("15623261994"))
		if status != want || decode(t, body)["ver"] != "1" {
			t.Errorf("envelope, call %d: %d %s", at, status, body)
		}
	}
	got := s.call("wk.user.level.list", app, "") // the token call uses the app's one up
	if answer := decode(t, got.out); got.code != exitNo || answer["success"] != false || answer["error_code"] != 500.0 {
		t.Errorf("gateway: %d %s", got.code, got.out)
	}
}

func TestBodyLimit(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := r.serve("--max-body", "1024")
	big := strings.Repeat(" ", 1024)
	for path, member := range map[string]string{"/member/register/mobile": "statusCode", "/gw/gateway/wk.user.info.add/v1": "error_code"} {
		status, body := s.post(path, registration("15623261994")+big)
		if code := fmt.Sprint(decode(t, body)[member]); status != 413 || code != "1001" {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
}

func TestProfiler(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	s := r.serve("--admin-listen", address)
	if status, _ := s.get("/debug/pprof/"); status != 404 {
		t.Error("the profiler is on the public address")
	}
	s.url = "http://" + address
	if status, body := s.get("/debug/pprof/cmdline"); status != 200 || !strings.Contains(body, "serve") {
		t.Error(status, body)
	}
	if code := s.stop(); code != 0 {
		t.Error(code)
	}
}
