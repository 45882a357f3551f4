package sms

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// The worked example of "V3版本请求体&签名机制" (help.aliyun.com, product
// overview of the SDKs), 固定参数示例: RunInstances with the access key
// YourAccessKeyId and YourAccessKeySecret.
func TestAliyunPublishedExample(t *testing.T) {
	t.Parallel()
	query := aliyunQuery(map[string]string{
		"RegionId": "cn-shanghai", "ImageId": "win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd",
	})
	header := http.Header{}
	for name, value := range map[string]string{
		"Accept": "application/json", "x-acs-action": "RunInstances", "x-acs-version": "2014-05-26", "x-acs-date": "2023-10-26T10:22:32Z",
		"x-acs-signature-nonce": "3156853299f313e23d1673dc12e1703d",
		"x-acs-content-sha256":  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
	} {
		header.Set(name, value)
	}
	got := signAliyun("ecs.cn-shanghai.aliyuncs.com", query, header, accessKey{"YourAccessKeyId", "YourAccessKeySecret"})
	const want = "ACS3-HMAC-SHA256 Credential=YourAccessKeyId," +
		"SignedHeaders=host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version," +
		"Signature=06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// The rules for escaping of the same document: all but A-Z, a-z, 0-9, -, _, .
// and ~ as %XX, the space as %20.
func TestAliyunQuery(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		"": "b=&a%20b=1", "-_.~Az09": "b=-_.~Az09&a%20b=1", "a b+c*d": "b=a%20b%2Bc%2Ad&a%20b=1",
		`{"code":"0458"}`: "b=%7B%22code%22%3A%220458%22%7D&a%20b=1", "阿里云": "b=%E9%98%BF%E9%87%8C%E4%BA%91&a%20b=1",
		"/?&=%'()!": "b=%2F%3F%26%3D%25%27%28%29%21&a%20b=1",
	} {
		first, second, _ := strings.Cut(want, "&")
		if got := aliyunQuery(map[string]string{"b": value, "a b": "1"}); got != second+"&"+first {
			t.Errorf("%q: %s", value, got)
		}
	}
}

// The worked example of 签名方法 v3 (cloud.tencent.com/document/api/213/30654):
// DescribeInstances of cvm, where the id is AKID and the key nothing, each with
// 32 asterisks behind it.
func TestTencentPublishedExample(t *testing.T) {
	t.Parallel()
	stars := strings.Repeat("*", 32)
	call := tencentCall{
		service: "cvm", host: "cvm.tencentcloudapi.com", action: "DescribeInstances", at: time.Unix(1551113065, 0),
		body: `{"Limit": 1, "Filters": [{"Values": ["\u672a\u547d\u540d"], "Name": "instance-name"}]}`,
	}
	const want = "TC3-HMAC-SHA256 Credential=AKID********************************/2019-02-25/cvm/tc3_request, " +
		"SignedHeaders=content-type;host;x-tc-action, Signature=10b1a37a7301a02ca19a647ad722d5e43b4b3cff309d421d85b46093f6ab6c4f"
	for _, zone := range []*time.Location{time.UTC, time.FixedZone("", 14*3600), time.FixedZone("", -12*3600)} {
		call.at = call.at.In(zone)
		if got := call.sign(accessKey{"AKID" + stars, stars}); got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", zone, got, want)
		}
	}
}

// No code or phone gets through as a provider's code.
func TestErrorCodes(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]bool{
		"isv.BUSINESS_LIMIT_CONTROL": true, "Throttling.User": true, "LimitExceeded.PhoneNumberThirtySecondLimit": true,
		"VALVE:M_MC": true, "BasicAuth.V2": true, "Error.404": true, strings.Repeat("x", 100): true,
		strings.Repeat("x", 101): false, "0458": false, "a13800138000": false, "12.3456": false, "a b": false, "a\nb": false, "验证码": false, "<html>": false,
	} {
		if isErrorCode(code) != want {
			t.Errorf("%q is not %v", code, want)
		}
	}
}
