package sim_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// misuse puts a person's data where it does not belong: each call is refused,
// and none of them may be quoted.
func misuse(t *testing.T, c *client, base string, p *person) {
	t.Helper()
	all := map[string]any{"phone": p.phone, "mobile": p.phone, "realname": p.name, "id_card": p.idCard, "email": p.email}
	with := func(more map[string]any) map[string]any {
		m := map[string]any{}
		for _, part := range []map[string]any{all, more} {
			for k, v := range part {
				m[k] = v
			}
		}
		return m
	}
	for _, a := range []call{
		{"wk.user.info.add", all}, // no project_id, no nickname
		{"wk.user.info.add", with(map[string]any{"phone": p.phone + "0", "project_id": "1", "nickname": "x"})},
		{"wk.user.info.add", with(map[string]any{"phone": p.idCard, "project_id": "1", "nickname": "x"})},
		{"wk.user.info.add", with(map[string]any{"birthday": p.birthday + p.name, "project_id": "1", "nickname": "x"})},
		{"wk.user.info.add", with(map[string]any{"gender": p.email, "project_id": "1", "nickname": "x"})},
		{"wk.user.info.query", map[string]any{"phone": p.nextPhone}},
		{"wk.user.info.query", map[string]any{"open_id": p.email}},
		{"wk.user.info.query", map[string]any{"open_id": p.openID, "phone": p.nextPhone}},
		{"wk.user.event.score.change", with(map[string]any{"change_event": p.name, "change_id": "1", "score": 1, "change_reason": "x"})},
		{"wk.user.event.score.change", with(map[string]any{"change_event": "event_add", "change_id": "1", "score": p.phone + "x", "change_reason": "x"})},
		{"wk.user.event.score.rollback", with(map[string]any{"change_id": "1", "statement_id": p.idCard})},
		{"wk.user.code.parsing", map[string]any{"code": p.phone}},
		{"wk.user." + p.phone, all},
		{"/member/" + p.phone, all},
		{"/member/register/mobile", all}, // no channel
		{"/member/register/mobile", with(map[string]any{"mobile": p.name, "channelCode": "dcxcx", "registerType": 2, "unionId": "u"})},
		{"/member/register/mobile", with(map[string]any{"channelCode": p.email, "registerType": 2, "unionId": "u"})},
		{"/member/register/mobile", with(map[string]any{"channelCode": "dcxcx", "registerType": p.phone, "unionId": "u"})},
		{"/member/getMemberInfoByIdOrMobile", map[string]any{"mobile": p.nextPhone}},
		{"/member/getMemberInfoByIdOrMobile", map[string]any{"memberId": p.email}},
		{"/member/getMembers", map[string]any{"pageSize": p.phone + "x"}},
		{"/member/score/statisticalScore", map[string]any{"memberId": p.phone}},
		{"/member/score/opt/" + p.phone, map[string]any{"memberId": p.memberID}},
	} {
		if got := c.try(t, base, a); got.code == 0 || got.code == codeBusy {
			t.Errorf("%s %v: %s, want a refusal", a.method, a.body, got)
		}
	}
}

// misuseUnsigned does the same beyond what an integrator's client would send.
func misuseUnsigned(t *testing.T, c *client, base string, p *person) {
	t.Helper()
	stranger := *c
	stranger.token, stranger.id = p.phone, p.phone
	for _, a := range []call{
		{"wk.user.info.add", map[string]any{"phone": p.phone, "realname": p.name}}, {"/member/getMembers", map[string]any{"mobile": p.phone}},
	} {
		if got := stranger.try(t, base, a); got.code == 0 {
			t.Errorf("a stranger: %s", got)
		}
	}
	body := fmt.Sprintf(`{"phone":"%s","realname":"%s","email":"%s"`, p.phone, p.name, p.email) // does not end
	for path, text := range map[string]string{
		"/gw/gateway/wk.user.info.add/v1?access_token=" + c.token + "&timestamp=" + p.phone:                  body,
		"/gw/gateway/wk.user.info.add/v1?phone=" + p.phone + "&realname=" + url.QueryEscape(p.name) + "&a=%": body,
		"/gw/gateway/dss.auth.token.query/v1?app_id=" + p.phone:                                              body,
		"/gw/gateway/" + p.phone + "/" + p.phone:                                                             body,
		"/member/register/mobile?mobile=" + p.phone:                                                          body,
		"/member/getMembers":                          `{"appId":"` + p.phone + `","partnerId":"` + p.name + `","requestBody":"{}","sign":"skip","ver":"` + p.email + `"}`,
		"/" + p.phone + "?" + url.QueryEscape(p.name): body,
	} {
		r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, base+path, strings.NewReader(text))
		must(t, err)
		r.Header.Set("User-Agent", p.email)
		r.Header.Set("Content-Type", "application/json; charset="+p.email)
		answer, err := c.http.Do(r)
		must(t, err)
		answer.Body.Close()
	}
	// Signed, and broken behind the signature.
	got, err := c.gateway(context.Background(), base, "wk.user.info.add", url.Values{"access_token": {c.token}, "extra": {p.phone}}, []byte(body))
	if err != nil || got.code != codeInvalid {
		t.Errorf("broken JSON: %s %v", got, err)
	}
	got, err = c.envelope(context.Background(), base+"/member/register/mobile", body)
	if err != nil || got.code != codeInvalid {
		t.Errorf("broken requestBody: %s %v", got, err)
	}
}
