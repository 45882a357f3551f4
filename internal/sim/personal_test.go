package sim_test

import (
	"bytes"
	crand "crypto/rand"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/memberd/memberd/internal/loyalty/loyaltytest"
)

// person is somebody whose data nobody else can have by chance.
type person struct {
	phone, nextPhone, name, idCard, email, birthday, country, province, city, company string
	openID, memberID                                                                  string
}

// secrets are what must be found nowhere.
func (p *person) secrets() map[string]string {
	return map[string]string{
		"phone": p.phone, "new phone": p.nextPhone, "name": p.name, "id card": p.idCard, "email": p.email,
		"birthday": p.birthday, "birthday in digits": strings.ReplaceAll(p.birthday, "-", ""),
		"country": p.country, "province": p.province, "city": p.city, "company": p.company,
	}
}

func newPerson(rng *rand.Rand) *person {
	n := func(limit int) int { return rng.IntN(limit) }
	birthday := fmt.Sprintf("19%02d-%02d-%02d", 50+n(49), 1+n(12), 10+n(18))
	return &person{
		phone:     fmt.Sprintf("158%04d%04d", 1000+n(9000), 1000+n(9000)),
		nextPhone: fmt.Sprintf("159%04d%04d", 1000+n(9000), 1000+n(9000)),
		name:      fmt.Sprintf("欧阳觿龘%04d", n(10000)),
		idCard:    fmt.Sprintf("4201%02d%s%04d", n(100), strings.ReplaceAll(birthday, "-", ""), 1000+n(9000)),
		email:     fmt.Sprintf("ouyang.%06d@example.cn", n(1_000_000)),
		birthday:  birthday,
		country:   fmt.Sprintf("中国籍%05d", n(100000)),
		province:  fmt.Sprintf("湖北省武汉%05d", n(100000)),
		city:      fmt.Sprintf("江汉路解放大道%05d号", n(100000)),
		company:   fmt.Sprintf("欧阳商贸%05d有限公司", n(100000)),
	}
}

// A whole run of members' data, good calls and bad ones, leaves none of it
// readable: not in the database, not in the logs, not in what the program
// prints, not in the metrics.
func TestPersonalData(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		rng := rand.New(rand.NewPCG(loyaltytest.Seed(t), 0))
		var said bytes.Buffer // by subcommands
		p := s.serve()
		c := newClient(t, s.app)
		c.signIn(t, p.url)
		people := make([]*person, 4)
		for i := range people {
			people[i] = newPerson(rng)
			join(t, c, p.url, people[i], i%2 == 0)
			visit(t, c, p.url, people[i])
			s.textCodes(c, p.url, people[i])
			misuse(t, c, p.url, people[i])
			misuseUnsigned(t, c, p.url, people[i])
		}
		settled := people[len(people)-1] // stays as it is
		for i, who := range people[:len(people)-1] {
			erase := i%2 == 0 // others stay
			said.WriteString(s.move(who, settled, erase))
			if i == 0 {
				p.kill() // what a crash leaves behind counts as well
				p = s.serve()
			}
			if !erase {
				moved := *who
				moved.phone = who.nextPhone
				visit(t, c, p.url, &moved)
			}
		}
		visit(t, c, p.url, settled)
		s.check()

		_, metrics := p.get(t, "/metrics")
		_, ready := p.get(t, "/readyz")
		texts := map[string][]byte{"metrics": []byte(metrics), "readyz": []byte(ready), "subcommands": said.Bytes()}
		s.collect(texts) // while the server has the log of SQLite open
		if code, _ := p.stop(); code != 0 {
			t.Errorf("exit code %d", code)
		}
		s.collect(texts)
		for _, who := range people {
			for what, value := range who.secrets() {
				expectNowhere(t, texts, what, value)
			}
		}
		// The search itself finds what it may find.
		if !occurs(texts, []byte("昵称乙")) {
			t.Error("not even nicknames were found: the search proves nothing")
		}
	})
}

// move has operators look at a person, give it another phone and erase it, with
// mistakes in between, and returns all that they get to see.
func (s *site) move(who, settled *person, erase bool) string {
	s.t.Helper()
	var said strings.Builder
	member := func(code int, command, phone string, more ...string) {
		s.t.Helper()
		got, out, log := s.run(append([]string{"member", command, "--merchant", merchant, "--phone", phone}, more...)...)
		if got != code {
			s.t.Errorf("member %s: exit code %d, want %d\n%s%s", command, got, code, out, log)
		}
		said.WriteString(out + log)
	}
	member(0, "show", who.phone)
	member(1, "rephone", who.phone, "--to", "12", "--reason", "wrong")
	member(1, "rephone", who.phone, "--to", settled.phone, "--reason", "taken")
	member(0, "rephone", who.phone, "--to", who.nextPhone, "--reason", "moved")
	member(1, "show", who.phone)
	member(0, "show", who.nextPhone)
	if erase {
		member(0, "erase", who.nextPhone, "--reason", "asked for")
		member(1, "erase", who.nextPhone, "--reason", "again")
	}
	return said.String()
}

// join registers a person through one protocol, or through both.
func join(t *testing.T, c *client, base string, p *person, both bool) {
	t.Helper()
	if both {
		c.must(t, base, call{"/member/register/mobile", map[string]any{
			"mobile": p.phone, "nickName": "昵称甲", "channelCode": "dcxcx", "registerType": "2", "unionId": "u-" + p.email, "registerStoreCode": "S1",
		}}, nil)
	}
	c.must(t, base, call{"wk.user.info.add", map[string]any{
		"phone": p.phone, "project_id": "1", "nickname": "昵称乙", "realname": p.name, "id_card": p.idCard, "email": p.email,
		"birthday": p.birthday, "country": p.country, "province": p.province, "city": p.city, "company_name": p.company, "gender": 1,
	}}, &p.openID)
	var m struct {
		MemberID string `json:"memberId"`
	}
	c.must(t, base, call{"/member/getMemberInfoByIdOrMobile", map[string]any{"mobile": p.phone}}, &m)
	p.memberID = m.MemberID
}

// textCodes has codes sent to a person, and checked in both protocols.
func (s *site) textCodes(c *client, base string, p *person) {
	s.t.Helper()
	send := func(phone string) (code string) {
		s.t.Helper()
		c.must(s.t, base, call{"wk.sms.verify.send", map[string]any{"target": phone}}, nil)
		text, err := os.ReadFile(filepath.Join(s.dir, outbox))
		must(s.t, err)
		lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
		var m struct{ Phone, Code string }
		must(s.t, json.Unmarshal(lines[len(lines)-1], &m))
		if m.Phone != phone {
			s.t.Fatalf("the last message in the outbox is to %s, not %s", m.Phone, phone)
		}
		return m.Code
	}
	judge := call{"wk.sms.verify.judge", map[string]any{"phone": p.phone, "verify_code": send(p.phone)}}
	c.must(s.t, base, judge, nil)
	for _, a := range []call{
		judge, // used up
		{"wk.sms.verify.send", map[string]any{"target": p.phone}},
		{"wk.sms.verify.send", map[string]any{"target": p.name}},
		{"wk.sms.verify.judge", map[string]any{"phone": p.idCard, "verify_code": p.phone}},
		{"wk.sms.verify.judge", map[string]any{"phone": p.phone, "verify_code": p.idCard}},
	} {
		if got := c.try(s.t, base, a); got.code == 0 || got.code == codeBusy {
			s.t.Errorf("%s %v: %s, want a refusal", a.method, a.body, got)
		}
	}
	register := map[string]any{
		"mobile": p.nextPhone, "mobileValidateFlag": 1, "validCode": p.phone, "channelCode": "xcx", "registerType": 2, "unionId": "t-" + p.email,
	}
	code := send(p.nextPhone)
	if got := c.try(s.t, base, call{"/member/register/mobile", register}); got.code != codeWrongText {
		s.t.Errorf("a registration with a wrong code: %s", got)
	}
	judge = call{"wk.sms.verify.judge", map[string]any{"phone": p.nextPhone, "verify_code": code}}
	c.must(s.t, base, judge, nil)
}

// visit reads a person in every way and books points by phone.
func visit(t *testing.T, c *client, base string, p *person) {
	t.Helper()
	var m struct {
		Phone    string `json:"phone"`
		Realname string `json:"realname"`
		Email    string `json:"email"`
	}
	c.must(t, base, call{"wk.user.info.query", map[string]any{"phone": p.phone}}, &m)
	if m.Phone != p.phone || m.Realname != p.name || m.Email != p.email {
		t.Errorf("%+v is not who was registered", m)
	}
	var list struct {
		Total json.Number `json:"totalCount"`
	}
	c.must(t, base, call{"/member/getMembers", map[string]any{"mobile": p.phone}}, &list)
	if list.Total.String() != "1" {
		t.Errorf("the list by phone has %s members", list.Total)
	}
	c.must(t, base, call{"/member/getMemberInfoByIdOrMobile", map[string]any{"memberId": p.memberID, "showScoreSwitch": "1"}}, nil)
	c.must(t, base, call{"wk.user.event.score.change", map[string]any{
		"phone": p.phone, "change_event": "event_add", "score": 9, "change_reason": "visit", "change_id": "v-" + crand.Text(),
	}}, nil)
	c.must(t, base, call{"/member/score/sendScore", map[string]any{
		"memberId": p.memberID, "operationType": 1, "score": 3, "idempotencyBussinessId": crand.Text(), "idempotencyBussinessType": 1,
	}}, nil)
	c.must(t, base, call{"wk.user.score.record", map[string]any{"phone": p.phone}}, nil)
	var code string
	c.must(t, base, call{"wk.user.code.generate", map[string]any{"phone": p.phone}}, &code)
	c.must(t, base, call{"wk.user.code.parsing", map[string]any{"code": code}}, nil)
}
