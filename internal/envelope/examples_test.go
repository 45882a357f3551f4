package envelope

// examples are the request examples of the protocol document, verbatim, in its
// order. 1.4 and 1.5 are callbacks and go the other way.
var examples = []struct{ section, path, body string }{
	{"1.1", "/member/getMemberInfoByIdOrMobile", `{
	"appId":"2eb5c8f1170246429755e6dac313f89d",
	"partnerId":"1864",
	"requestBody":"{'partnerId':'1864','memberId':'115632749214110108'

	,'mobile':'15623261994','showScoreSwitch':'1','showCouponSwitch':'1'}",
	"sign":"skip",
	"ver":1
}`},
	{"1.2", "/member/getMembers", `{
	"ver":1,
	"partnerId":"1000",
	"appId":"2eb5c8f117dac313f89d",
	"requestBody":"{\"pageNum\":1,\"pageSize\":20}",
    	"sign": "sign"
}`},
	{"1.3", "/member/score/opt/1", `{
	"ver":1,
	"partnerId":"1000",
	"appId":"2eb5c8f117dac313f89d",
	"requestBody":"{\"memberId\":\"115589208394311926\",\"score\":\"100\",\"operationType\":\"1\",\"idempotencyBussinessId\":\"2\",\"idempotencyBussinessType\":\"6\"}",
    	"sign": "sign"
}`},
	{"1.6", "/member/register/mobile", `{
	"ver":1,
	"partnerId":"1000",
	"appId":"2eb5c8f117dac313f89d",
	"requestBody":"{\"cardCode\":\"001\",\"cardId\":\"001\",\"channelCode\":\"saas\",\"mobile\":\"13333333333\",\"mobileValidateFlag\":\"1\",\"nickName\":\"bbbb\",\"partnerId\":\"1000\",\"photoUrl\":\"\",\"registerInitData\":\"1#1#2#2#2\",\"registerStoreCode\":\"shop001\",\"registerType\":\"1\",\"sexFlag\":\"1\",\"thirdPartyCode\":\"fasdfsadfaa222\",\"unionId\":\"\",\"validCode\":\"2468\"}",
    "sign": "sign"
}`},
	{"2.1", "/member/score/updateScore", `{
	"appId":"2eb5c8f1170246429755e6dac313f89d",
	"partnerId":"1864",
	"requestBody":"{'partnerId':'1864','memberId':'115596590488056494','changeScore':'8','idempotencyBussinessId':'q235246245234','idempotencyBussinessType':'15','operationType':'1'}",
	"sign":"skip",
	"ver":1
}`},
	{"2.2", "/member/score/sendScore", `{
	"appId":"2eb5c8f1170246429755e6dac313f89d",
	"partnerId":"1864",
	"requestBody":"{'partnerId':'1864','memberId':'115596590488056494','score':'8','idempotencyBussinessId':'q235246245234','idempotencyBussinessType':'15','operationType':'1'}",
	"sign":"skip",
	"ver":1
}`},
	{"2.3", "/member/score/returnScore", `{
	"appId":"2eb5c8f1170246429755e6dac313f89d",
	"partnerId":"1864",
	"requestBody":"{'partnerId':'1864','memberId':'115596590488056494','score':'8','idempotencyBussinessId':'q235246245234','idempotencyBussinessType':'15','operationType':'1'}",
	"sign":"skip",
	"ver":1
}`},
	{"2.4", "/member/score/statisticalScore", `{
	"appId":"2eb5c8f1170246429755e6dac313f89d",
	"partnerId":"1864",
	"requestBody":"{'partnerId':'1864','memberId':'115596590488056494','score':'8','idempotencyBussinessId':'q235246245234','idempotencyBussinessType':'15','operationType':'1'}",
	"sign":"skip",
	"ver":1
}`},
}
