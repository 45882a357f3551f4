package bench

import (
	"crypto/rsa"
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/memberd/memberd/internal/sign"
)

// Every call of either door is JSON, has the member in it, and is signed so that
// the platform's own check accepts it.
func TestFrames(t *testing.T) {
	t.Parallel()
	key, err := sign.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	app := App{ID: "app1", MerchantID: "1000", Secret: "secret", Token: "at1", Key: key}
	ids := []string{"first", "second"}
	shared := newFrames(Options{Door: Envelope, Members: ids})
	doors := map[string]frames{
		Gateway:  newGatewayFrames(app, ids, "bench-x-"),
		Envelope: &envelopeFrames{app: app, members: ids, keys: keys{prefix: "bench-x-"}, shared: shared},
	}
	at := time.UnixMilli(1795312800000)
	for name, door := range doors {
		seen := map[string]bool{}
		for op := range operations {
			for range 2 {
				door.prepare(op, 1)
				target, body := door.finish(at)
				if !json.Valid(body) || !strings.Contains(string(body), "second") {
					t.Errorf("%s %s: %s", name, op, body)
				}
				if op != opQuery && seen[string(body)] {
					t.Errorf("%s %s: a key was used twice", name, op)
				}
				seen[string(body)] = true
				if name == Gateway {
					verifyGateway(t, string(target), body, app.Secret)
				} else {
					verifyEnvelope(t, body, &key.PublicKey)
				}
			}
		}
	}
	if (*shared)[1].Load() == nil || (*shared)[0].Load() != nil {
		t.Error("signed queries are not remembered by member")
	}
}

func verifyGateway(t *testing.T, target string, body []byte, secret string) {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil || u.Query().Get("timestamp") != "1795312800000" {
		t.Fatal(target, err)
	}
	if !sign.VerifyGateway(u.RawQuery, "", body, secret, u.Query().Get("sign")) {
		t.Errorf("wrong sign: %s %s", target, body)
	}
}

func verifyEnvelope(t *testing.T, body []byte, key *rsa.PublicKey) {
	t.Helper()
	var frame map[string]string
	if err := json.Unmarshal(body, &frame); err != nil {
		t.Fatal(err)
	}
	var list []sign.Field
	for name, value := range frame {
		list = append(list, sign.Field{Name: name, Value: value})
	}
	if !sign.VerifyEnvelope(sign.EnvelopeBase(list), frame["sign"], key) || !json.Valid([]byte(frame["requestBody"])) {
		t.Errorf("wrong sign: %s", body)
	}
}

// Success is told from refusal by what the answer says, in any order of members.
func TestAnswers(t *testing.T) {
	t.Parallel()
	gateway, envelope := &gatewayFrames{}, &envelopeFrames{}
	for _, test := range []struct {
		door         frames
		answer, want string
	}{
		{gateway, `{"success":true,"error_code":200,"data":null}`, ""},
		{gateway, `{ "error_code": null, "success": true }`, ""},
		{gateway, `{"success":false,"error_code":150003,"error_message":"积分不足"}`, "150003"},
		{gateway, `{"success":false,"error_code":"1003"}`, "1003"},
		{gateway, `{"hello":"world"}`, failForm},
		{gateway, `<html>502</html>`, failForm},
		{gateway, ``, failForm},
		{envelope, `{"ver":"1","statusCode":"100","message":"成功"}`, ""},
		{envelope, `{"statusCode":100,"ver":1}`, ""},
		{envelope, `{"ver":"1","statusCode":"110002","message":"会员不存在"}`, "110002"},
		{envelope, `{"ver":"1","statusCode":"1001"}`, "1001"},
		{envelope, `{}`, failForm},
		{envelope, `nothing`, failForm},
	} {
		if got := test.door.failure([]byte(test.answer)); got != test.want {
			t.Errorf("%T %s: %q, want %q", test.door, test.answer, got, test.want)
		}
	}
}

// No phone of a load can be a person's, and ids that would break the JSON they
// are put into are refused.
func TestPhonesAndIDs(t *testing.T) {
	t.Parallel()
	for i, want := range map[int]string{0: "10000000000", 1234: "10000001234", MaxMembers - 1: "10099999999"} {
		if got := phoneOf(i); got != want {
			t.Errorf("phone %d: %s, want %s", i, got, want)
		}
	}
	for id, want := range map[string]bool{"25c5-A_z": true, "": false, `a"b`: false, "a b": false, "中": false, strings.Repeat("a", 129): false} {
		if plain(id) != want {
			t.Errorf("plain(%q) is not %v", id, want)
		}
	}
}
