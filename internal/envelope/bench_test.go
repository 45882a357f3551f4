package envelope

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/memberd/memberd/internal/doortest"
)

func BenchmarkChangeSigned(b *testing.B) {
	s := withMembers(b, nil)
	s.bench(b, pathUpdate, signedCall(b, s.App, fill(`{%m,"changeScore":1,"operationType":1}`, 0)))
}

func BenchmarkChangeUnsigned(b *testing.B) {
	s := withMembers(b, nil)
	s.bench(b, pathUpdate, frameOf(doortest.UnsignedApp, doortest.Merchant, fill(`{%m,"changeScore":1,"operationType":1}`, 0)))
}

func BenchmarkRefused(b *testing.B) {
	s := withMembers(b, nil)
	s.bench(b, pathUpdate, frameOf(doortest.SigningApp, doortest.Merchant, `{}`))
}

func (s *session) bench(b *testing.B, path, body string) {
	b.ReportAllocs()
	for b.Loop() {
		doortest.Send(s.handler, httptest.NewRequest(http.MethodPost, path, strings.NewReader(body)))
	}
}
