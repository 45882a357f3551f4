package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"reflect"
	"strings"

	"github.com/alecthomas/kong"
)

// Print writes c as a configuration file that reads back as c, each value with
// where it came from. Passwords in the database URL are masked, and so is what
// may be a credential of an SMS provider, so a file made this way from such a
// set-up needs them put back.
func (r *Resolver) Print(w io.Writer, c *Config, ctx *kong.Context) error {
	var plain, tables strings.Builder
	table := ""
	for _, s := range settings() {
		b, name := &plain, s.Key // plain keys come first: after a table they would belong to it
		if head, rest, ok := strings.Cut(s.Key, "."); ok {
			b, name = &tables, rest
			if head != table {
				fmt.Fprintf(b, "\n[%s]\n", head)
				table = head
			}
		}
		fmt.Fprintf(b, "%-40s # %s\n", name+" = "+literal(s, c), r.source(s, ctx))
	}
	_, err := io.WriteString(w, plain.String()+tables.String())
	return err
}

func (r *Resolver) source(s setting, ctx *kong.Context) string {
	for _, path := range ctx.Path {
		if path.Flag != nil && path.Flag.Name == s.Flag && !path.Resolved {
			return "flag --" + s.Flag
		}
	}
	if source, ok := r.sources[s.Key]; ok {
		return source
	}
	return "default"
}

func literal(s setting, c *Config) string {
	value := reflect.ValueOf(c).Elem().FieldByIndex(s.index)
	switch v := value.Interface().(type) {
	case string:
		return quote(shown(s.Key, v))
	case []string:
		return shownHeaders(v)
	case Duration:
		return quote(v.String())
	default:
		return fmt.Sprint(v)
	}
}

// shown is a value as it can be printed.
func shown(key, value string) string {
	switch key {
	case "database":
		return WithoutPassword(value)
	case "sms.url", "sms.aliyun.endpoint", "sms.tencent.endpoint":
		return onlyHost(value)
	case "sms.body", "sms.aliyun.access_key_id", "sms.aliyun.access_key_secret", "sms.tencent.secret_id", "sms.tencent.secret_key":
		return masked(value)
	}
	return value
}

// WithoutPassword is a database URL that can be shown: the password, in its
// place or as a parameter, is xxxxx. What cannot be taken apart is hidden
// whole.
func WithoutPassword(database string) string {
	if database == "" || strings.HasPrefix(database, "sqlite:") {
		return database
	}
	u, err := url.Parse(database)
	if err != nil {
		return "postgres://" + hidden
	}
	if query := u.Query(); query.Has("password") || query.Has("sslpassword") {
		for _, name := range []string{"password", "sslpassword"} {
			if query.Has(name) {
				query.Set(name, hidden)
			}
		}
		u.RawQuery = query.Encode()
	}
	return u.Redacted()
}

// quote writes a basic string of TOML, which every string of JSON is.
func quote(text string) string {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(text); err != nil {
		panic(err) // strings always encode
	}
	return strings.TrimSpace(b.String())
}
