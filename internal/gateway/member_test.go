package gateway

import (
	"encoding/json"
	"net/url"
	"regexp"
	"testing"
	"time"

	"github.com/memberd/memberd/internal/access"
	"github.com/memberd/memberd/internal/doortest"
	"github.com/memberd/memberd/internal/loyalty"
)

const (
	methodInfoAdd      = "wk.user.info.add"
	methodInfoQuery    = "wk.user.info.query"
	methodCodeGenerate = "wk.user.code.generate"
	methodCodeParsing  = "wk.user.code.parsing"
	methodLevelList    = "wk.user.level.list"
)

// infoAddExample is the document's example, joined where a page break cut it.
const infoAddExample = `{
  "outer_user_id": "out001",
  "q_id": "qId=123",
  "project_id": "18756",
  "nickname": "张三",
"username": "张达三",
"phone": "15900947949",
"avatar_img_url": "http://sdsd.sds.com",
"gender": 1,
"birthday": "1994-09-28",
"country": "中国",
"province": "广东",
"city": "深圳",
"id_card": "350322198209116378",
"company_name": "格力集团",
"remark": "备注"
}`

func TestInfoAdd(t *testing.T) {
	t.Parallel()
	s := newSession(t, doortest.Options{Settings: func(s *loyalty.Settings) { s.RegisterGift = 20 }})
	s.tr.Masked = append(s.tr.Masked, "data", "open_id")
	first := s.call("the document's example", doortest.GatewayCall{Method: methodInfoAdd, Body: infoAddExample})
	again := s.call("the same again", doortest.GatewayCall{Method: methodInfoAdd, Body: infoAddExample})
	if first.Body != again.Body {
		t.Errorf("a repeat answered %s, not %s", again.Body, first.Body)
	}
	if !regexp.MustCompile(`"data":"[0-9a-f]{32}"`).MatchString(first.Body) {
		t.Errorf("no open_id of 32 hex digits in %s", first.Body)
	}
	const minimal = `{"project_id":18756,"nickname":"李四","phone":"13800000000"}`
	s.each(methodInfoAdd,
		"an empty field is filled, nothing is overwritten", `{"project_id":"1","nickname":"王五","phone":"15900947949","email":"a@b.cn"}`,
		"numbers for texts, only what is required", minimal,
		"no phone", `{"project_id":"1","nickname":"王五"}`,
		"an empty phone, nothing else right either", `{"phone":"","gender":7}`,
		"phone with letters", `{"project_id":"1","nickname":"王五","phone":"1380000000a"}`,
		"12 digits", `{"project_id":"1","nickname":"王五","phone":"138888888888"}`,
		"no project_id", `{"nickname":"王五","phone":"13800000001"}`,
		"no nickname", `{"project_id":"1","nickname":null,"phone":"13800000001"}`,
		"gender 3", `{"project_id":"1","nickname":"王五","phone":"13800000001","gender":3}`,
		"gender 1.5", `{"project_id":"1","nickname":"王五","phone":"13800000001","gender":1.5}`,
		"31 February", `{"project_id":"1","nickname":"王五","phone":"13800000001","birthday":"1994-02-31"}`,
		"born tomorrow", `{"project_id":"1","nickname":"王五","phone":"13800000001","birthday":"2026-11-23"}`,
		"realname and username differ", `{"project_id":"1","nickname":"王五","phone":"13800000001","realname":"张三","username":"李四"}`,
		"realname and username agree", `{"project_id":"1","nickname":"王五","phone":"13800000001","realname":"张三","username":"张三"}`,
		"outer_user_id of another member", `{"project_id":"1","nickname":"王五","phone":"13800000002","outer_user_id":"out001"}`,
		"the member's outer_user_id on its own phone", `{"project_id":"1","nickname":"王五","phone":"15900947949","outer_user_id":"out001"}`,
	)
	s.each(methodInfoQuery,
		"what became of the first", `{"phone":"15900947949"}`,
		"what became of the second", `{"phone":"13800000000"}`,
	)
	s.golden("info_add")
}

func TestInfoAddKnowsTheStores(t *testing.T) {
	t.Parallel()
	s := newSession(t, doortest.Options{Settings: func(s *loyalty.Settings) { s.Stores = []string{"18756"} }})
	s.tr.Masked = append(s.tr.Masked, "data")
	s.each(methodInfoAdd,
		"a store of the list", `{"project_id":18756,"nickname":"李四","phone":"13800000000"}`,
		"a store that is not on it", `{"project_id":"1","nickname":"李四","phone":"13800000001"}`,
	)
	s.golden("info_add_stores")
}

func TestInfoQuery(t *testing.T) {
	t.Parallel()
	s := registered(t, doortest.Options{})
	other := doortest.Do(s.Bundle, loyalty.RegisterMember{
		Merchant: doortest.OtherMerchant, OpenID: "0f0e0d0c0b0a09080706050403020100", Profile: loyalty.Profile{Phone: "13800000009", Nickname: "外人", Store: "007"},
	})
	s.each(methodInfoQuery,
		"the document's example, its two halves joined by 或: no JSON (G-071)",
		"{\n  \"open_id\": \"25c56912e05847c0b09f03ca7e52b796\"\n}\n或\n{\n  \"phone\": \"13800000000\"\n}",
		"the first half", "{\n  \"open_id\": \"25c56912e05847c0b09f03ca7e52b796\"\n}",
		"the second half: nobody", "{\n  \"phone\": \"13800000000\"\n}",
		"by phone", `{"phone":"15900947949"}`,
		"by phone as a number", `{"phone":15900947949}`,
		"a phone in open_id", `{"open_id":"15900947949"}`,
		"both, one member", `{"open_id":"`+openID+`","phone":"15900947949"}`,
		"two phones", `{"open_id":"15900947949","phone":"13800000000"}`,
		"open_id and a phone that is nobody's", `{"open_id":"`+openID+`","phone":"13800000000"}`,
		"open_id and a malformed phone", `{"open_id":"`+openID+`","phone":"137xxxxxxxx"}`,
		"open_id and empty phone", `{"open_id":"`+openID+`","phone":""}`,
		"two spellings that differ", `{"open_id":"`+openID+`","openId":"`+noOpenID+`"}`,
		"nobody named", `{}`,
		"nobody named, nulls", `{"open_id":null,"phone":null}`,
		"no body", ``,
		"unknown", `{"open_id":"`+noOpenID+`"}`,
		"another merchant's member by open_id", `{"open_id":"`+other.OpenID+`"}`,
		"another merchant's member by phone", `{"phone":"13800000009"}`,
	)
	s.add(100, "积分")
	s.disable()
	s.each(methodInfoQuery, "a disabled member is shown", `{"phone":"15900947949"}`)
	s.erase()
	s.each(methodInfoQuery, "an erased member by open_id", `{"open_id":"`+openID+`"}`, "by its old phone", `{"phone":"15900947949"}`)
	s.call("the other merchant's app finds its own, and keeps leading zeros", doortest.GatewayCall{
		Method: methodInfoQuery, App: s.Other, Body: `{"phone":"13800000009"}`,
	})
	s.golden("info_query")
}

func TestInfoQueryLevels(t *testing.T) {
	t.Parallel()
	s := registered(t, doortest.Options{Settings: func(s *loyalty.Settings) {
		s.MaskIDCard = true
		s.Levels = []loyalty.Level{{Number: 1, ID: 76, Name: "金卡", Rights: []loyalty.Right{{ID: 1, Name: "免费停车", ImageURL: "https://img.url/?a=1&b=2"}}}}
	}})
	s.each(methodInfoQuery, "the only level is the highest; rights are JSON text; the id card is masked", `{"phone":"15900947949"}`)
	s.golden("info_query_levels")
}

func TestCodes(t *testing.T) {
	t.Parallel()
	s := registered(t, doortest.Options{})
	made := s.call("the document's example", doortest.GatewayCall{
		Method: methodCodeGenerate, Body: "{\n  \"open_id\": \"25c56912e05847c0b09f03ca7e52b796\"\n}",
	})
	code := dataText(t, made)
	if !regexp.MustCompile(`^06[0-9]{18}$`).MatchString(code) {
		t.Errorf("code %q: want 06 and 18 digits", code)
	}
	s.each(methodCodeGenerate,
		"by a phone in open_id", `{"open_id":"15900947949"}`,
		"nobody named", `{}`,
		"unknown", `{"open_id":"`+noOpenID+`"}`,
		"malformed phone", `{"phone":"1"}`,
	)
	s.each(methodCodeParsing,
		"the document's example: not a code of ours", "{\n  \"code\": \"06244323958828461000\"\n}",
		"the code made above", `{"code":"`+code+`"}`,
		"no code", `{}`,
		"a code with letters", `{"code":"06abc"}`,
	)
	s.call("the other merchant's app", doortest.GatewayCall{Method: methodCodeParsing, App: s.Other, Body: `{"code":"` + code + `"}`})
	s.Clock.Advance(5 * time.Minute)
	s.each(methodCodeParsing, "at the end of its life, a second time", `{"code":"`+code+`"}`)
	s.Clock.Advance(10 * time.Second)
	s.each(methodCodeParsing, "past its life", `{"code":"`+code+`"}`)
	code = dataText(t, s.call("a new one", doortest.GatewayCall{Method: methodCodeGenerate, Body: `{"phone":"15900947949"}`}))
	s.disable()
	s.each(methodCodeGenerate, "a disabled member gets no code", `{"phone":"15900947949"}`)
	s.each(methodCodeParsing, "and its code is refused", `{"code":"`+code+`"}`)
	s.erase()
	s.each(methodCodeParsing, "an erased member's code", `{"code":"`+code+`"}`)
	s.each(methodCodeGenerate, "and no more are made", `{"open_id":"`+openID+`"}`)
	s.golden("codes")
}

func TestCodeParsingByItsOwnTable(t *testing.T) {
	t.Parallel()
	s := registered(t, doortest.Options{Settings: func(s *loyalty.Settings) { s.ExpiredCodeAs110001 = true }})
	s.each(methodCodeParsing, "the number of 3.7's own table, as a setting (G-037)", `{"code":"06244323958828461000"}`)
	s.golden("code_parsing_110001")
}

func TestCodeGuessing(t *testing.T) {
	t.Parallel()
	s := registered(t, doortest.Options{})
	send := func(app *doortest.App) doortest.Answer {
		return doortest.Send(s.handler, s.Request(doortest.GatewayCall{Method: methodCodeParsing, App: app, Body: `{"code":"06244323958828461000"}`}))
	}
	for i := range access.MaxGuesses {
		if a := send(nil); a.Status != 200 {
			t.Fatalf("failure %d: HTTP %d", i+1, a.Status)
		}
	}
	code := dataText(t, doortest.Send(s.handler, s.Request(doortest.GatewayCall{Method: methodCodeGenerate, Body: `{"phone":"15900947949"}`})))
	s.each(methodCodeParsing, "one too many in a minute, a right code too", `{"code":"`+code+`"}`)
	if a := send(s.Other); a.Status != 200 {
		t.Errorf("another app: HTTP %d, its own count is used up by somebody else", a.Status)
	}
	s.Clock.Advance(time.Minute)
	s.each(methodCodeParsing, "a minute later", `{"code":"`+code+`"}`)
	s.golden("code_guessing")
}

func TestLevelList(t *testing.T) {
	t.Parallel()
	s := newSession(t, doortest.Options{})
	s.each(methodLevelList,
		"the document's example", "{\n  \"page_size\":10,\n  \"page_no\":1\n}",
		"no body", "",
		"second page, names of another method, numbers as text", `{"pageSize":"3","pageNum":"2"}`,
		"beyond the last page", `{"page_size":3,"page_no":9}`,
		"page 0", `{"page_no":0}`,
		"size 0", `{"page_size":0}`,
		"size 10^9 is capped", `{"page_size":1000000000}`,
		"page beyond everything", `{"page_no":1000000000000000000}`,
		"two spellings that differ", `{"page_size":3,"pageSize":4}`,
	)
	get := func(note, body string, query url.Values) {
		t.Helper()
		s.call(note, doortest.GatewayCall{Method: methodLevelList, Verb: "GET", Body: body, Query: query})
	}
	get("GET with query", "", url.Values{"page_size": {"2"}, "page_no": {"2"}})
	get("GET with a body", `{"page_size":2}`, nil)
	get("GET with both, which agree", `{"page_size":2}`, url.Values{"page_size": {"2"}})
	get("GET with both, which differ", `{"page_size":2}`, url.Values{"page_size": {"3"}})
	s.call("POST with a query", doortest.GatewayCall{Method: methodLevelList, Query: url.Values{"page_size": {"2"}}})
	s.golden("level_list")
}

// dataText is the data member of an answer that holds a text.
func dataText(t testing.TB, a doortest.Answer) string {
	t.Helper()
	var frame struct {
		Success bool
		Data    string
	}
	must(t, json.Unmarshal([]byte(a.Body), &frame))
	if !frame.Success {
		t.Fatalf("refused: %s", a.Body)
	}
	return frame.Data
}
