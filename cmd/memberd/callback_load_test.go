package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// liar is a partner's server that takes three callbacks of four and lies about
// the rest, and is away for some time. It writes down whatever arrives.
type liar struct {
	*httptest.Server
	t      *testing.T
	random *rand.Rand
	away   atomic.Bool

	mu      sync.Mutex
	highest map[string]int64   // by member
	changes map[string][]int64 // currentScore by member, first arrivals in order
	members map[string]string  // member of the header -> memberId
}

func newLiar(t *testing.T, seed uint64) *liar {
	l := &liar{t: t, random: rand.New(rand.NewPCG(seed, 7)), highest: map[string]int64{}, changes: map[string][]int64{}, members: map[string]string{}}
	l.Server = httptest.NewServer(l)
	t.Cleanup(l.Close)
	return l
}

func (l *liar) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if l.away.Load() {
		panic(http.ErrAbortHandler)
	}
	text, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler) // a server that was killed while it wrote
	}
	var frame struct{ RequestBody string }
	var body struct {
		MemberID     string `json:"memberId"`
		CurrentScore int64  `json:"currentScore"`
		TransNo      string `json:"transNo"`
	}
	if json.Unmarshal(text, &frame) != nil || json.Unmarshal([]byte(frame.RequestBody), &body) != nil || body.MemberID == "" {
		l.t.Errorf("request: %s", text)
	}
	no, err := strconv.ParseInt(r.Header.Get("Memberd-Event-Number"), 10, 64)
	if err != nil {
		l.t.Error(err)
	}
	l.mu.Lock()
	switch last := l.highest[body.MemberID]; {
	case no == last+1:
		l.highest[body.MemberID] = no
		if body.TransNo != "" {
			l.changes[body.MemberID] = append(l.changes[body.MemberID], body.CurrentScore)
		}
	case no != last:
		l.t.Errorf("member %s: number %d after %d", body.MemberID, no, last)
	}
	mood, pause := l.random.IntN(24), l.random.IntN(300)
	l.mu.Unlock()
	switch mood {
	case 0:
		w.WriteHeader(http.StatusInternalServerError)
	case 1:
		http.Redirect(w, r, l.URL+"/elsewhere", http.StatusFound)
	case 2:
		_, _ = io.WriteString(w, `{"statusCode":"101"}`)
	case 3:
		_, _ = io.WriteString(w, strings.Repeat("x", 1<<20))
	case 4:
		panic(http.ErrAbortHandler)
	case 5:
		time.Sleep(time.Duration(pause) * time.Millisecond) // the partner's own pace
	default:
		_, _ = io.WriteString(w, `{"ver":"1","statusCode":"100"}`)
	}
}

// got tells whether a member's events up to a number have arrived.
func (l *liar) got(member string) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.highest[member]
}

// Changes under load, a lying partner, and (with MEMBERD_LONG) five servers that
// are killed: every change of every member arrives, in the order of the ledger.
func TestCallbacksUnderLoad(t *testing.T) {
	t.Parallel()
	load, kills := 2*time.Second, 0
	if os.Getenv("MEMBERD_LONG") != "" {
		load, kills = time.Minute, 5
	}
	onBoth(t, func(t *testing.T, r *rig) {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		l := newLiar(t, seed)
		r.env = []string{"MEMBERD_CALLBACK_RETRY_BASE=100ms", "MEMBERD_CALLBACK_ALLOW_PRIVATE=true", "MEMBERD_LOG_LEVEL=warn"}
		r.unsignedApp()
		r.on("app", "create", "--merchant", demoMerchant, "--name", "listener", "--callback-url", l.URL)
		c := &crowd{rig: r, pace: load / 100, booked: map[string]*atomic.Int64{}}
		servers := []*server{r.serve()}
		if len(r.args) > 2 { // PostgreSQL
			servers = append(servers, r.serve())
		}
		c.use(servers)
		c.begin(t, 12)
		for range kills {
			time.Sleep(load / time.Duration(kills+1)) // the load's own length
			victim := rand.IntN(len(servers))
			_ = servers[victim].cmd.Process.Kill()
			servers[victim].stop()
			servers[victim] = r.serve()
			c.use(servers)
			l.away.Store(!l.away.Load())
		}
		time.Sleep(load / time.Duration(kills+1))
		l.away.Store(false)
		c.await(5)
		c.end()
		deadline := time.Now().Add(6 * patience)
		for member, booked := range c.booked {
			for l.got(member) < 1+booked.Load() {
				if time.Now().After(deadline) {
					t.Fatalf("member %s: %d of %d arrived\n%s", member, l.got(member), 1+booked.Load(), servers[0].log)
				}
				time.Sleep(20 * time.Millisecond) // another process: nothing here tells of it
			}
		}
		// What arrived last may have been refused.
		for left := ""; left != "[]\n"; time.Sleep(100 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("left over: %s\n%s", left, servers[0].log)
			}
			left = r.on("callback", "list", "--merchant", demoMerchant, "--json")
		}
		for _, s := range servers {
			if code := s.stop(); code != 0 {
				t.Errorf("exit code %d\n%s", code, s.log)
			}
		}
		total := 0
		for member, scores := range l.changes {
			for i, score := range scores {
				if score != int64(i)+1 {
					t.Fatalf("member %s: change %d left %d points", member, i+1, score)
				}
			}
			total += len(scores)
		}
		booked := 0
		for _, n := range c.booked {
			booked += int(n.Load())
		}
		if total != booked {
			t.Errorf("%d changes were booked, %d were told", booked, total)
		}
		t.Logf("%d changes of %d members", total, len(c.booked))
	})
}

// crowd books one point after the other, each member by itself, through whatever
// server is there.
type crowd struct {
	*rig
	pace    time.Duration // between two changes of a member
	urls    atomic.Pointer[[]string]
	booked  map[string]*atomic.Int64
	stopped atomic.Bool
	group   sync.WaitGroup
}

func (c *crowd) use(servers []*server) {
	urls := make([]string, len(servers))
	for i, s := range servers {
		urls[i] = s.url
	}
	c.urls.Store(&urls)
}

// post repeats a call until it is answered; killed servers answer nothing.
func (c *crowd) post(path, body string) map[string]any {
	for late := time.Now().Add(patience); time.Now().Before(late); time.Sleep(10 * time.Millisecond) {
		urls := *c.urls.Load()
		answer, err := http.Post(urls[rand.IntN(len(urls))]+path, "application/json", strings.NewReader(body))
		if err != nil {
			continue
		}
		text, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		var tree map[string]any
		if err == nil && json.Unmarshal(text, &tree) == nil && tree["statusCode"] == "100" {
			return tree
		}
	}
	c.t.Errorf("%s was never answered", path)
	return nil
}

func (c *crowd) begin(t *testing.T, members int) {
	t.Cleanup(c.end) // while its servers stand
	for i := range members {
		var body struct {
			MemberID string `json:"memberId"`
		}
		text, _ := c.post("/member/register/mobile", registration(fmt.Sprintf("138%08d", i)))["responseBody"].(string)
		if err := json.Unmarshal([]byte(text), &body); err != nil {
			t.Fatal(err, text)
		}
		booked := &atomic.Int64{}
		c.booked[body.MemberID] = booked
		c.group.Go(func() {
			for no := 1; !c.stopped.Load(); no++ {
				if c.post("/member/score/updateScore", onePoint(body.MemberID, no)) == nil {
					return
				}
				booked.Add(1)
				time.Sleep(c.pace) // the load's own
			}
		})
	}
}

// await waits until each member has had so many changes: on a busy machine the
// load may take longer than was meant.
func (c *crowd) await(changes int64) {
	late := time.Now().Add(patience)
	for member, booked := range c.booked {
		for booked.Load() < changes {
			if time.Now().After(late) {
				c.t.Fatalf("member %s: only %d changes", member, booked.Load())
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
}

func onePoint(member string, no int) string {
	return fmt.Sprintf(`{"appId":"%s","partnerId":"%s","requestBody":"{'partnerId':'%s','memberId':'%s','changeScore':1,'changeType':1,'operationType':1,'idempotencyBussinessId':'%s-%d'}","sign":"skip","ver":1}`,
		demoUnsigned, demoMerchant, demoMerchant, member, member, no)
}

func (c *crowd) end() {
	c.stopped.Store(true)
	c.group.Wait()
}
