package sms_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/sms"
)

// The key that the clouds of the tests know.
const (
	keyID     = "AKIDhunter2"
	keySecret = "hunter2/+=secret"
)

// cloud is a provider that checks each request as its document says, then does
// what answer does. At is its clock.
type cloud struct {
	*httptest.Server
	at     time.Time
	answer http.HandlerFunc

	mu    sync.Mutex
	taken []taken
	seen  map[string]bool // nonces
}

// taken is a message that a cloud took, as it understood it.
type taken struct{ Phone, SignName, Template, App, Param, Code string }

// provide starts a cloud. Check returns the provider's refusal, or the message.
func provide(t *testing.T, check func(c *cloud, r *http.Request, body string) (status int, refusal string, m taken), answer http.HandlerFunc) *cloud {
	t.Helper()
	c := &cloud{at: morning, answer: answer, seen: map[string]bool{}}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		c.mu.Lock()
		status, refusal, m := check(c, r, string(body))
		if refusal == "" {
			c.taken = append(c.taken, m)
		}
		c.mu.Unlock()
		if refusal != "" {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, refusal)
			return
		}
		c.answer(w, r)
	}))
	t.Cleanup(c.Close)
	return c
}

// says is an answer.
func says(status int, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text)
	}
}

func sum(text string) string {
	digest := sha256.Sum256([]byte(text))
	return hex.EncodeToString(digest[:])
}

func mac(key, text string) string {
	h := hmac.New(sha256.New, []byte(key))
	_, _ = io.WriteString(h, text)
	return string(h.Sum(nil))
}

// headerLines are the lines of the named headers, and a complaint if they are
// not in order or one of them is not there.
func headerLines(r *http.Request, list string, value func(name, text string) string) (lines, complaint string) {
	before := ""
	for name := range strings.SplitSeq(list, ";") {
		text := r.Header.Get(name)
		if name == "host" {
			text = r.Host
		}
		if name <= before || name != strings.ToLower(name) || text == "" {
			return "", "signed headers " + list
		}
		before = name
		lines += name + ":" + value(name, strings.TrimSpace(text)) + "\n"
	}
	return lines, ""
}

// clouds are both providers, as far as they are alike.
var clouds = map[string]struct {
	start   func(t *testing.T, answer http.HandlerFunc) *cloud
	sender  func(t *testing.T, endpoint string, now time.Time) sms.Sender
	ok      string
	refused func(code string) string
	late    string // the code for a wrong clock
	slack   time.Duration
}{
	"aliyun":  {startAliyun, newAliyun, aliyunOK, aliyunRefusal, "InvalidTimeStamp.Expired", 15 * time.Minute},
	"tencent": {startTencent, newTencent, tencentOK, tencentRefusal, "AuthFailure.SignatureExpire", 5 * time.Minute},
}

func TestCloudTakes(t *testing.T) {
	t.Parallel()
	for name, p := range clouds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := p.start(t, says(200, p.ok))
			sender := p.sender(t, c.URL, morning)
			must(t, sender.Send(t.Context(), awkward))
			want := taken{Phone: phone, SignName: awkwardName, Template: awkwardTemplate, Code: "0458"}
			if len(c.taken) != 1 {
				t.Fatalf("taken: %v", c.taken)
			}
			got := c.taken[0]
			if want.App, want.Param = "", awkwardParam; name == "tencent" {
				want.App, want.Param = awkwardApp, ""
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			for _, form := range []string{"%v", "%+v", "%#v", "%s"} {
				if text := fmt.Sprintf(form, sender); strings.Contains(text, "hunter2") {
					t.Errorf("%s shows the key: %s", form, text)
				}
			}
		})
	}
}

// A sender is used by many at once, and no request is another's.
func TestCloudAtOnce(t *testing.T) {
	t.Parallel()
	for name, p := range clouds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := p.start(t, says(200, p.ok))
			sender := p.sender(t, c.URL, morning)
			const messages = 40
			var group sync.WaitGroup
			for i := range messages {
				group.Go(func() {
					m := sms.Message{Phone: fmt.Sprintf("139%08d", i), Code: fmt.Sprintf("%04d", i), Text: "t", At: morning}
					if err := sender.Send(t.Context(), m); err != nil {
						t.Error(err)
					}
				})
			}
			group.Wait()
			seen := map[string]string{}
			for _, m := range c.taken {
				seen[m.Phone] = m.Code
			}
			if len(seen) != messages || seen["13900000007"] != "0007" {
				t.Errorf("taken: %v", seen)
			}
		})
	}
}

// What the log has of a refusal, through the whole service.
func TestCloudLog(t *testing.T) {
	t.Parallel()
	for name, p := range clouds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := p.start(t, says(200, p.refused("isv.BUSINESS_LIMIT_CONTROL")))
			r := newRig(t, func(o *sms.Options, _ *loyalty.SMSRules) {
				o.Sender, o.NewCode = p.sender(t, c.URL, morning), func(int) string { return "7351" } // no year
			})
			r.expect("refused", sms.ErrSend)
			log := r.log.String()
			if !strings.Contains(log, "code isv.BUSINESS_LIMIT_CONTROL") || len(c.taken) != 1 {
				t.Fatalf("%d taken, log: %s", len(c.taken), log)
			}
			for _, secret := range []string{phone, c.taken[0].Code, "hunter2", c.URL} {
				if strings.Contains(log, secret) {
					t.Errorf("%s is in the log: %s", secret, log)
				}
			}
			r.judge("a code that was not sent", c.taken[0].Code, false)
			c.answer = says(200, p.ok)
			r.expect("at once, as nothing was counted", nil)
			r.judge("the code that was sent", c.taken[1].Code, true)
		})
	}
}
