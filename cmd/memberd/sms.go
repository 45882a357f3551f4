package main

import (
	"time"

	"github.com/memberd/memberd/internal/config"
	"github.com/memberd/memberd/internal/sms"
)

// newSender is how text messages leave the house. What is wrong with the
// settings shows here, before anything is opened.
func newSender(common config.Common, c config.SMS) (sms.Sender, error) {
	if c.Sender == config.SMSFile {
		return sms.NewFile(common.OutboxFile()), nil
	}
	return sms.NewHTTP(sms.HTTPOptions{URL: c.URL, Headers: c.Headers(), Body: c.Body, Success: c.Success})
}

// newSMS is the service of both doors.
func (pl *platform) newSMS(sender sms.Sender, timeout time.Duration) *sms.Service {
	return sms.New(sms.Options{
		Storage: pl.store, Settings: pl.store, Keys: pl.keys, Sender: sender, Timeout: timeout, Logger: pl.logger,
	})
}
