package gateway

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/memberd/memberd/internal/doortest"
	"github.com/memberd/memberd/internal/loyalty"
)

const (
	methodChange   = "wk.user.event.score.change"
	methodRollback = "wk.user.event.score.rollback"
	methodRecord   = "wk.user.score.record"
)

// changeExample and rollbackExample are the document's, verbatim.
const (
	changeExample = `{
  "open_id": "25c56912e05847c0b09f03ca7e52b796",
  "score": 100,
  "change_reason": "兑换权益",
  "change_event": "event_add",
  "change_id": "604becde4a097343239d2848de"
}`
	rollbackExample = `{
  "open_id": "25c56912e05847c0b09f03ca7e52b796",
  "rollback_score": 50,
  "statement_id": "SP016244316351097643",
  "change_id": "604becde4a097343239d2848de"
}`
	recordExample = `{
  "open_id": "xxxx",
  "score_type": "1",
  "pageSize": "10",
  "pageNo": "1"
}`
)

func body(event, score, id string) string {
	return fmt.Sprintf(`{"open_id":"%s","score":%s,"change_reason":"测试","change_event":"%s","change_id":"%s"}`, openID, score, event, id)
}

func TestScoreChange(t *testing.T) {
	t.Parallel()
	s := registered(t, doortest.Options{Settings: func(s *loyalty.Settings) {
		s.Events = append(s.Events, loyalty.Event{Name: "sign_in", Direction: loyalty.Credit, Points: 5, Operation: loyalty.OpSignIn})
	}})
	s.each(methodChange,
		"the document's example", changeExample,
		"the same again: the first answer, nothing booked", changeExample,
		"free text does not count", with(changeExample, "兑换权益", "别的原因"),
		"numbers as text, camelCase, a phone in open_id, order and amount",
		`{"openId":"15900947949","score":"30","changeReason":"消费","changeEvent":"event_subtract","changeId":"c1","outBizNo":"66239d2848de","orderAmount":"200.50"}`,
		"a fixed event", `{"phone":"15900947949","change_reason":"签到","change_event":"sign_in","change_id":"c2"}`,
		"a fixed event and a score of its own: the event's counts", `{"phone":"15900947949","score":99,"change_reason":"签到","change_event":"sign_in","change_id":"c3"}`,
		"the key with another score", with(changeExample, "100", "101"),
		"the key with another event", with(changeExample, "event_add", "event_subtract"),
		"all of it", body("event_subtract", "80", "c4"),
		"one more: nothing left", body("event_subtract", "1", "c5"),
		"refused, so the key is free", body("event_add", "1", "c5"),
	)
	s.each(methodChange,
		"no member", `{"score":1,"change_reason":"r","change_event":"event_add","change_id":"x"}`,
		"no member and no change_id: shape first", `{"score":1,"change_reason":"r","change_event":"event_add"}`,
		"unknown member", with(body("event_add", "1", "x"), openID, noOpenID),
		"malformed phone", `{"phone":"1380000000x","score":1,"change_reason":"r","change_event":"event_add","change_id":"x"}`,
		"no reason", `{"open_id":"`+openID+`","score":1,"change_event":"event_add","change_id":"x"}`,
		"no event", `{"open_id":"`+openID+`","score":1,"change_reason":"r","change_id":"x"}`,
		"unregistered event", body("event_other", "1", "x"),
		"no score", `{"open_id":"`+openID+`","change_reason":"r","change_event":"event_add","change_id":"x"}`,
		"score 0", body("event_add", "0", "x"),
		"score -1", body("event_add", "-1", "x"),
		"score 1.5", body("event_add", "1.5", "x"),
		"score 10^18", body("event_add", "1000000000000000000", "x"),
		"score 10^19", body("event_add", "10000000000000000000", "x"),
		"score 10^18 down", body("event_subtract", "1e18", "x"),
		"score true", body("event_add", "true", "x"),
		"one more than the largest credit", body("event_add", "1000001", "x"),
		"order_amount with three decimals", with(body("event_add", "1", "x"), `"score"`, `"order_amount":1.005,"score"`),
		"order_amount below zero", with(body("event_add", "1", "x"), `"score"`, `"order_amount":-1,"score"`),
	)
	s.call("another merchant's member", doortest.GatewayCall{Method: methodChange, App: s.Other, Body: changeExample})
	s.disable()
	s.each(methodChange, "a disabled member", body("event_add", "1", "x"), "a repeat answers all the same", changeExample)
	s.erase()
	s.each(methodChange, "an erased member", body("event_add", "1", "x"))
	if m := s.member(); m.Balance != 1 || m.Entries != 6 {
		t.Errorf("balance %d in %d entries, want 1 in 6", m.Balance, m.Entries)
	}
	s.golden("score_change")
}

func TestScoreChangeWithoutRule(t *testing.T) {
	t.Parallel()
	s := registered(t, doortest.Options{Settings: func(s *loyalty.Settings) {
		s.Points.Until = loyalty.InstantOf(doortest.Start)
	}})
	s.each(methodChange, "the points rule is over", changeExample)
	s.golden("score_change_no_rule")
}

func TestScoreChangeStrict(t *testing.T) {
	t.Parallel()
	s := registered(t, doortest.Options{Settings: func(s *loyalty.Settings) { s.StrictChangeID = true }})
	s.each(methodChange,
		"first", changeExample,
		"the same again: refused, with the first statement_id (G-092)", changeExample,
		"something else: refused, without", with(changeExample, "100", "101"),
	)
	s.golden("score_change_strict")
}

func TestScoreRollback(t *testing.T) {
	t.Parallel()
	s := registered(t, doortest.Options{})
	const first = `{"open_id":"` + openID + `","change_id":"lost"}`
	mode2 := func(statement, id, score string) string {
		return fmt.Sprintf(`{"open_id":"%s","statement_id":"%s","change_id":"%s","rollback_score":%s}`, openID, statement, id, score)
	}
	s.each(methodRollback, "the document's example: no such statement", rollbackExample,
		"a statement of another member", with(rollbackExample, "SP016244316351097643", "SP000000000900000001"),
		"not a statement id at all", with(rollbackExample, "SP016244316351097643", "134"))
	a := s.call("a change to roll back", doortest.GatewayCall{Method: methodChange, Body: changeExample})
	statement := statementOf(t, a)
	s.each(methodRollback,
		"the document's example with that statement", with(rollbackExample, "SP016244316351097643", statement),
		"the same again, as in polling", with(rollbackExample, "SP016244316351097643", statement),
		"the key with another score", mode2(statement, "604becde4a097343239d2848de", "10"),
		"more than is left", mode2(statement, "r2", "51"),
		"all that is left", mode2(statement, "r3", "null"),
		"nothing left", mode2(statement, "r4", "1"),
		"a rollback is not rolled back", mode2("SP000000000100000002", "r5", "1"),
		"by the change's id, all rolled back before: a success, nothing booked", `{"open_id":"`+openID+`","change_id":"604becde4a097343239d2848de","statement_id":null}`,
	)
	s.each(methodChange, "a change whose answer gets lost", body("event_add", "70", "lost"))
	s.each(methodRollback,
		"by its id, statement_id empty", `{"open_id":"`+openID+`","change_id":"lost","statement_id":""}`,
		"polled again", first,
		"polled with another score", with(first, `"lost"`, `"lost","rollback_score":1`),
		"the id of a change that never was", with(first, "lost", "never"),
		"polled again", with(first, "lost", "never"),
	)
	s.each(methodChange,
		"the change that was declared void", body("event_add", "70", "never"),
		"and the one that was rolled back", body("event_add", "70", "lost"),
	)
	s.each(methodRollback,
		"no change_id", `{"open_id":"`+openID+`"}`,
		"score 0", with(first, `"lost"`, `"x","rollback_score":0`),
		"score -1", with(first, `"lost"`, `"x","rollback_score":-1`),
		"score 0.5", with(first, `"lost"`, `"x","rollback_score":0.5`),
		"no member", `{"change_id":"x"}`,
		"unknown member", with(first, openID, noOpenID),
	)
	s.each(methodChange, "100 points", body("event_add", "100", "spent"), "60 of them spent", body("event_subtract", "60", "spending"))
	s.each(methodRollback,
		"the grant, spent already: nothing is booked", with(first, "lost", "spent"),
		"the spend is given back", with(first, "lost", "spending"),
		"and now the grant", with(first, "lost", "spent"),
	)
	if m := s.member(); m.Balance != 0 {
		t.Errorf("balance %d, want 0", m.Balance)
	}
	s.golden("score_rollback")
}

func TestScoreRecord(t *testing.T) {
	t.Parallel()
	s := registered(t, doortest.Options{})
	s.each(methodRecord, "the document's example: its open_id stands for another", recordExample,
		"before anything was booked", with(recordExample, "xxxx", openID))
	s.add(30, "消费增加积分")
	s.Clock.Advance(time.Second)
	s.change("event_subtract", 10, "")
	s.Clock.Advance(12 * time.Hour) // the next day in Shanghai, at 22:00:01
	s.add(5, "")
	s.each(methodRollback, "a rollback", `{"open_id":"`+openID+`","change_id":"r","statement_id":"SP000000000100000002","rollback_score":4}`)
	s.each(methodRecord,
		"the document's example with the member's open_id", with(recordExample, "xxxx", openID),
		"all, by phone", `{"phone":"15900947949"}`,
		"expenditure", `{"open_id":"15900947949","score_type":2,"page_size":10}`,
		"the second page of two", `{"open_id":"`+openID+`","pageSize":3,"pageNo":2}`,
		"beyond the last page", `{"open_id":"`+openID+`","pageSize":3,"pageNo":3}`,
		"page size 10^9 is capped at 100", `{"open_id":"`+openID+`","pageSize":1000000000,"score_type":2}`,
		"page 0", `{"open_id":"`+openID+`","pageNo":0}`,
		"size -1", `{"open_id":"`+openID+`","pageSize":"-1"}`,
		"score_type 3", `{"open_id":"`+openID+`","score_type":3}`,
		"score_type in words", `{"open_id":"`+openID+`","score_type":"收入"}`,
		"nobody named", `{}`,
		"unknown", `{"open_id":"`+noOpenID+`"}`,
	)
	s.call("another merchant's app", doortest.GatewayCall{Method: methodRecord, App: s.Other, Body: `{"open_id":"` + openID + `"}`})
	s.erase()
	s.each(methodRecord, "erased", `{"open_id":"`+openID+`"}`)
	s.golden("score_record")
}

func statementOf(t testing.TB, a doortest.Answer) string {
	t.Helper()
	var frame struct {
		Data struct {
			StatementID string `json:"statement_id"`
		}
	}
	must(t, json.Unmarshal([]byte(a.Body), &frame))
	return frame.Data.StatementID
}

// TestSameChangeFromFiftyConnections: one is booked, all hear the same.
func TestSameChangeFromFiftyConnections(t *testing.T) {
	t.Parallel()
	s := registered(t, doortest.Options{})
	server := httptest.NewServer(s.handler)
	defer server.Close()
	base, err := url.Parse(server.URL)
	must(t, err)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // a connection each
	const connections = 50
	answers := make([]string, connections)
	start := make(chan struct{})
	var all sync.WaitGroup
	for i := range connections {
		r := s.Request(doortest.GatewayCall{Method: methodChange, Body: changeExample})
		r.RequestURI, r.URL.Scheme, r.URL.Host = "", base.Scheme, base.Host
		all.Go(func() {
			<-start
			response, err := client.Do(r)
			if err != nil {
				answers[i] = err.Error()
				return
			}
			defer response.Body.Close()
			text, err := io.ReadAll(response.Body)
			answers[i] = fmt.Sprint(response.StatusCode, " ", string(text), err)
		})
	}
	close(start)
	all.Wait()
	for i, a := range answers {
		if a != answers[0] {
			t.Fatalf("connection %d heard %s, connection 0 %s", i, a, answers[0])
		}
	}
	if m := s.member(); m.Balance != 100 || m.Entries != 1 {
		t.Errorf("balance %d in %d entries after %s, want 100 in 1", m.Balance, m.Entries, answers[0])
	}
}
