package main

import (
	"time"

	"github.com/memberd/memberd/internal/config"
	"github.com/memberd/memberd/internal/sms"
)

// newSender is how text messages leave the house. What is wrong with the
// settings shows here, before anything is opened.
func newSender(common config.Common, c config.SMS) (sms.Sender, error) {
	switch c.Sender {
	case config.SMSFile:
		return sms.NewFile(common.OutboxFile()), nil
	case config.SMSAliyun:
		return sms.NewAliyun(sms.AliyunOptions{
			AccessKeyID: c.Aliyun.AccessKeyID, AccessKeySecret: c.Aliyun.AccessKeySecret,
			SignName: c.Aliyun.SignName, Template: c.Aliyun.Template, Param: c.Aliyun.Param, Endpoint: c.Aliyun.Endpoint,
		})
	case config.SMSTencent:
		return sms.NewTencent(sms.TencentOptions{
			SecretID: c.Tencent.SecretID, SecretKey: c.Tencent.SecretKey, AppID: c.Tencent.AppID,
			SignName: c.Tencent.SignName, Template: c.Tencent.Template, Region: c.Tencent.Region, Endpoint: c.Tencent.Endpoint,
		})
	}
	return sms.NewHTTP(sms.HTTPOptions{URL: c.URL, Headers: c.Headers(), Body: c.Body, Success: c.Success})
}

// wayOut says in words where text messages go.
func wayOut(common config.Common, c config.SMS) string {
	switch c.Sender {
	case config.SMSFile:
		return "appended to " + common.OutboxFile()
	case config.SMSAliyun:
		return "sent by Alibaba Cloud"
	case config.SMSTencent:
		return "sent by Tencent Cloud"
	}
	return "posted to sms.url"
}

// newSMS is the service of both doors.
func (pl *platform) newSMS(sender sms.Sender, timeout time.Duration) *sms.Service {
	return sms.New(sms.Options{
		Storage: pl.store, Settings: pl.store, Keys: pl.keys, Sender: sender, Timeout: timeout, Logger: pl.logger,
	})
}
