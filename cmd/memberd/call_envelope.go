package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/memberd/memberd/internal/sign"
)

// envelopeFrame is a request.
type envelopeFrame struct {
	AppID       string `json:"appId"`
	PartnerID   string `json:"partnerId"`
	RequestBody string `json:"requestBody"`
	Sign        string `json:"sign"`
	Ver         string `json:"ver"`
}

// envelope makes one call, checks the answer's signature and prints the answer
// with its responseBody opened.
func (k *caller) envelope(ctx context.Context, path string, data []byte) error {
	if data == nil {
		data = []byte("{}")
	}
	frame := envelopeFrame{AppID: k.credentials.AppID, PartnerID: k.credentials.MerchantID, RequestBody: string(data), Ver: "1"}
	key, err := sign.ParsePrivateKey(k.credentials.EnvelopePrivateKey)
	if err != nil {
		return fmt.Errorf("envelope_private_key in %s: %w", k.file, err)
	}
	base := sign.EnvelopeBase([]sign.Field{
		{Name: "appId", Value: frame.AppID}, {Name: "partnerId", Value: frame.PartnerID},
		{Name: "requestBody", Value: frame.RequestBody}, {Name: "ver", Value: frame.Ver},
	})
	if frame.Sign, err = sign.SignEnvelope(base, key); err != nil {
		return err
	}
	body, err := json.Marshal(frame)
	if err != nil {
		return err
	}
	text, err := k.post(ctx, path, nil, body)
	if err != nil {
		return err
	}
	fields, err := answerFields(text)
	if err != nil {
		return err
	}
	trust := k.verify(fields)
	if err := k.showEnvelope(fields); err != nil {
		return err
	}
	switch {
	case fields["statusCode"] == "":
		return errors.New("the answer is not the envelope's: is --url right?")
	case trust != nil:
		return trust
	case fields["statusCode"] != "100":
		return &exitError{code: exitNo}
	}
	return nil
}

// answerFields are the answer's members as the signature sees them: strings
// decoded, anything else as it was sent, null left out.
func answerFields(text []byte) (map[string]string, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil {
		return nil, errors.New("the answer is not the envelope's: is --url right?")
	}
	fields := map[string]string{}
	for name, raw := range members {
		raw = bytes.TrimSpace(raw)
		var value string
		switch {
		case string(raw) == "null":
			continue
		case raw[0] == '"':
			if err := json.Unmarshal(raw, &value); err != nil {
				return nil, fmt.Errorf("the answer's %s cannot be read", name)
			}
		default:
			value = string(raw)
		}
		fields[name] = value
	}
	return fields, nil
}

// verify says what is wrong with the answer's signature. A refusal without one
// is in order: the platform signs for apps that it knows.
func (k *caller) verify(fields map[string]string) error {
	signature := fields["sign"]
	if signature == "" {
		if fields["statusCode"] != "100" {
			return nil
		}
		return errors.New("the answer is NOT SIGNED: do not trust it")
	}
	key, err := sign.ParsePublicKey(k.credentials.EnvelopePlatformPublicKey)
	if err != nil {
		return fmt.Errorf("envelope_platform_public_key in %s: %w", k.file, err)
	}
	list := make([]sign.Field, 0, len(fields))
	for name, value := range fields {
		list = append(list, sign.Field{Name: name, Value: value})
	}
	if !sign.VerifyEnvelope(sign.EnvelopeBase(list), signature, key) {
		return errors.New("the answer's signature is WRONG: it is not this platform's, or it was changed on the way")
	}
	return nil
}

// showEnvelope prints the answer for reading: responseBody opened, the
// signature left out, as it has been checked.
func (k *caller) showEnvelope(fields map[string]string) error {
	var b bytes.Buffer
	b.WriteString("{")
	separator := ""
	for _, name := range []string{"ver", "statusCode", "message", "responseBody"} {
		value, ok := fields[name]
		if !ok {
			continue
		}
		shown := []byte(value)
		if name != "responseBody" || !json.Valid(shown) {
			var err error
			if shown, err = quoted(value); err != nil {
				return err
			}
		}
		fmt.Fprintf(&b, "%s%q:%s", separator, name, shown)
		separator = ","
	}
	b.WriteString("}")
	return k.show(b.Bytes())
}

func quoted(text string) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(text)
	return bytes.TrimSpace(b.Bytes()), err
}
