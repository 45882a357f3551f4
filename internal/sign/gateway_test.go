package sign

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	vectorQuery = "foo=1&bar=2&foo_bar=3&foobar=4"
	vectorBody  = `{"orderNo":123}`
	vectorSign  = "546e4aa36d2d624da5ff816ca030951c"
)

func hexMD5(base string) string {
	sum := md5.Sum([]byte(base))
	return hex.EncodeToString(sum[:])
}

func TestGatewayVector(t *testing.T) {
	t.Parallel()
	query := url.Values{"foo": {"1"}, "bar": {"2"}, "foo_bar": {"3"}, "foobar": {"4"}, "sign": {"ignored"}}
	if got := Gateway(query, []byte(vectorBody), "XYZ"); got != vectorSign {
		t.Errorf("got %s", got)
	}
	for _, sign := range []string{vectorSign, strings.ToUpper(vectorSign)} {
		if !VerifyGateway(vectorQuery+"&sign="+sign, "dss.x", []byte(vectorBody), "XYZ", sign) {
			t.Errorf("%s refused", sign)
		}
	}
}

func TestVerifyGatewayBases(t *testing.T) {
	t.Parallel()
	// One query in which all three questions matter: an empty value, a value
	// that is encoded, and no method parameter.
	const query = "timestamp=1&code=&name=%E4%B8%AD+a%2Bb&access_token=at&sign=x"
	const body, secret = `{"a": 1}`, "s3"
	accepted := []string{
		"access_tokenatcodename中 a+btimestamp1",
		"access_tokenatcodemethoddss.xname中 a+btimestamp1",
		"access_tokenatname中 a+btimestamp1", // the empty code left out
		"access_tokenatmethoddss.xname中 a+btimestamp1",
		"access_tokenatcodename%E4%B8%AD+a%2Bbtimestamp1",
		"access_tokenatcodemethoddss.xname%E4%B8%AD+a%2Bbtimestamp1",
		"access_tokenatname%E4%B8%AD+a%2Bbtimestamp1",
		"access_tokenatmethoddss.xname%E4%B8%AD+a%2Bbtimestamp1",
	}
	for _, base := range accepted {
		if !VerifyGateway(query, "dss.x", []byte(body), secret, hexMD5(base+body+secret)) {
			t.Errorf("refused: %s", base)
		}
	}
	refused := []string{
		"access_tokenatcodename中 a+btimestamp1signx",
		"access_tokenatcodename中 a+btimestamp1methoddss.x", // method unsorted
		"timestamp1codename中 a+baccess_tokenat",
		"access_tokenatcodename中 a+btimestamp2",
		"access_tokenatcodemethoddss.yname中 a+btimestamp1",
		"access_tokenatcodename中+a+btimestamp1",
		"",
	}
	for _, base := range refused {
		if VerifyGateway(query, "dss.x", []byte(body), secret, hexMD5(base+body+secret)) {
			t.Errorf("accepted: %s", base)
		}
	}
	good := hexMD5(accepted[0] + body + secret)
	for name, ok := range map[string]bool{
		"other body":      VerifyGateway(query, "dss.x", []byte(`{"a":1}`), secret, good),
		"no body":         VerifyGateway(query, "dss.x", nil, secret, good),
		"other secret":    VerifyGateway(query, "dss.x", []byte(body), "s4", good),
		"no secret":       VerifyGateway("a=1", "dss.x", nil, "", hexMD5("a1")),
		"short":           VerifyGateway(query, "dss.x", []byte(body), secret, good[:31]),
		"long":            VerifyGateway(query, "dss.x", []byte(body), secret, good+"0"),
		"not hex":         VerifyGateway(query, "dss.x", []byte(body), secret, "g"+good[1:]),
		"empty":           VerifyGateway(query, "dss.x", []byte(body), secret, ""),
		"repeated param":  VerifyGateway("a=1&a=1", "", nil, secret, hexMD5("a1a1"+secret)),
		"broken escape":   VerifyGateway("a=%zz", "", nil, secret, hexMD5("a%zz"+secret)),
		"last digit off":  VerifyGateway(query, "dss.x", []byte(body), secret, good[:31]+string(good[31]^1)),
		"first digit off": VerifyGateway(query, "dss.x", []byte(body), secret, string(good[0]^1)+good[1:]),
	} {
		if ok {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestMethodAsParameter(t *testing.T) {
	t.Parallel()
	const query = "method=dss.x&a=1"
	for base, want := range map[string]bool{
		"a1methoddss.x":            true,
		"a1":                       false, // sent, so it is signed
		"a1methoddss.xmethoddss.x": false,
	} {
		if got := VerifyGateway(query, "dss.x", nil, "s", hexMD5(base+"s")); got != want {
			t.Errorf("%s: %t", base, got)
		}
	}
	if !VerifyGateway("", "", []byte("{}"), "s", hexMD5("{}s")) {
		t.Error("no parameters at all: refused")
	}
	if VerifyGateway("a=1", "", nil, "s", hexMD5("a1methods")) {
		t.Error("an empty method was put into the base")
	}
}

func TestParseQuery(t *testing.T) {
	t.Parallel()
	got, err := ParseQuery("a=1&b=&c&&%E4%B8%AD=x%3D+y&d=e=f;g&=z")
	want := []Param{
		{"a", "1", "a", "1"}, {"b", "", "b", ""}, {"c", "", "c", ""}, {"中", "x= y", "%E4%B8%AD", "x%3D+y"}, {"d", "e=f;g", "d", "e=f;g"}, {"", "z", "", "z"},
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	if values := Values(got); values.Get("中") != "x= y" || len(values) != len(want) {
		t.Errorf("Values: %v", values)
	}
	var many strings.Builder
	for i := range maxParams {
		many.WriteString("&p" + strconv.Itoa(i))
	}
	if _, err := ParseQuery(many.String()); err != nil {
		t.Errorf("%d parameters: %v", maxParams, err)
	}
	for _, c := range []struct {
		raw   string
		fault QueryFault
	}{
		{"a=1&a=2", RepeatedParam}, {"a=1&b=2&a=1", RepeatedParam}, {"a=1&%61=1", RepeatedParam}, {"a&a", RepeatedParam},
		{"a=%", InvalidEscape}, {"a=%4", InvalidEscape}, {"a=%zz", InvalidEscape}, {"%g0=1", InvalidEscape},
		{many.String() + "&more", TooManyParams},
	} {
		_, err := ParseQuery(c.raw)
		var query *QueryError
		if !errors.As(err, &query) || query.Fault != c.fault || query.Chinese() == "" {
			t.Errorf("%.40s: %v, want %q", c.raw, err, c.fault)
		}
	}
	if params, err := ParseQuery(""); len(params) != 0 || err != nil {
		t.Errorf("empty: %v %v", params, err)
	}
}

const benchQuery = "access_token=at0123456789ABCDEF0123456789ABCDEF&timestamp=1543222562000&sign=" + vectorSign

func BenchmarkVerifyGateway(b *testing.B) {
	body := bytes.Repeat([]byte("x"), 150)
	values, _ := url.ParseQuery(benchQuery)
	sign := Gateway(values, body, "secret")
	b.ReportAllocs()
	for b.Loop() {
		if !VerifyGateway(benchQuery, "dss.score.change", body, "secret", sign) {
			b.Fatal("refused")
		}
	}
}

func BenchmarkVerifyGatewayWrong(b *testing.B) {
	body := bytes.Repeat([]byte("x"), 150)
	b.ReportAllocs()
	for b.Loop() {
		if VerifyGateway(benchQuery, "dss.score.change", body, "secret", vectorSign) {
			b.Fatal("accepted")
		}
	}
}
