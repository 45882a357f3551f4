package config

// Aliyun is how Alibaba Cloud is asked to send. Its templates have the text:
// that of the merchant's settings is not used.
type Aliyun struct {
	// AccessKeyID and AccessKeySecret are an access key that may SendSms.
	AccessKeyID     string `toml:"access_key_id" name:"access-key-id" placeholder:"ID" help:"Access key of Alibaba Cloud."`
	AccessKeySecret string `toml:"access_key_secret" name:"access-key-secret" placeholder:"SECRET" help:"Its secret. Others can read flags: better in the file or the environment."`
	// SignName is the approved signature, without its brackets.
	SignName string `toml:"sign_name" name:"sign-name" placeholder:"NAME" help:"Signature (签名) of the messages."`
	// Template is the code of the approved template.
	Template string `toml:"template" name:"template" placeholder:"CODE" help:"Code of the template, as SMS_154950909."`
	// Param is the template's one variable, which gets the code.
	Param string `toml:"param" name:"param" default:"code" placeholder:"NAME" help:"Variable of the template that gets the code."`
	// Endpoint is that of a region, or of a proxy in the house.
	Endpoint string `toml:"endpoint" name:"endpoint" default:"https://dysmsapi.aliyuncs.com" placeholder:"URL" help:"Where Alibaba Cloud is asked."`
}

// Tencent is how Tencent Cloud is asked to send. Its templates have the text:
// that of the merchant's settings is not used.
type Tencent struct {
	// SecretID and SecretKey are an API key that may SendSms.
	SecretID  string `toml:"secret_id" name:"secret-id" placeholder:"ID" help:"API key of Tencent Cloud."`
	SecretKey string `toml:"secret_key" name:"secret-key" placeholder:"KEY" help:"Its secret. Others can read flags: better in the file or the environment."`
	// AppID is the SmsSdkAppId of the application.
	AppID string `toml:"app_id" name:"app-id" placeholder:"ID" help:"SmsSdkAppId of the application, as 1400006666."`
	// SignName is the approved signature, without its brackets.
	SignName string `toml:"sign_name" name:"sign-name" placeholder:"NAME" help:"Signature (签名) of the messages."`
	// Template is the id of the approved template, whose one variable {1} gets
	// the code.
	Template string `toml:"template" name:"template" placeholder:"ID" help:"Id of the template, as 1110; its {1} is the code."`
	// Region is one of those that the service has.
	Region string `toml:"region" name:"region" default:"ap-guangzhou" placeholder:"NAME" help:"Region of the service."`
	// Endpoint is the provider's, or that of a proxy in the house.
	Endpoint string `toml:"endpoint" name:"endpoint" default:"https://sms.tencentcloudapi.com" placeholder:"URL" help:"Where Tencent Cloud is asked."`
}
