package gateway

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/memberd/memberd/internal/doortest"
)

// BenchmarkScoreChange is one points change after the other, from the request
// to the commit.
func BenchmarkScoreChange(b *testing.B) {
	s := registered(b, doortest.Options{})
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		b.StopTimer()
		r := s.Request(doortest.GatewayCall{Method: methodChange, Body: body("event_add", "1", strconv.Itoa(i))})
		w := httptest.NewRecorder()
		b.StartTimer()
		s.handler.ServeHTTP(w, r)
		if i == 0 && !strings.Contains(w.Body.String(), `"success":true`) {
			b.Fatal(w.Body.String())
		}
	}
}

// BenchmarkFrame is what the door itself costs: token, timestamp, sign, JSON,
// and the answer of a call that its method refuses at once.
func BenchmarkFrame(b *testing.B) {
	s := registered(b, doortest.Options{})
	text := body("event_add", "0.5", "x")
	r := s.Request(doortest.GatewayCall{Method: methodChange, Body: text})
	target, verb := r.URL.RequestURI(), http.MethodPost
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		r := httptest.NewRequest(verb, target, strings.NewReader(text))
		w := httptest.NewRecorder()
		b.StartTimer()
		s.handler.ServeHTTP(w, r)
	}
}

// BenchmarkInfoQuery is one member after the other, personal data included, for
// as many callers as there are cores.
func BenchmarkInfoQuery(b *testing.B) {
	s := registered(b, doortest.Options{})
	text := `{"phone":"` + phone + `"}`
	r := s.Request(doortest.GatewayCall{Method: "wk.user.info.query", Body: text})
	target := r.URL.RequestURI()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			w := httptest.NewRecorder()
			s.handler.ServeHTTP(w, httptest.NewRequest(http.MethodPost, target, strings.NewReader(text)))
			if !strings.Contains(w.Body.String(), `"success":true`) {
				b.Fatal(w.Body.String())
			}
		}
	})
}
