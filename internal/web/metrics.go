package web

import (
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// maxMethods bounds the series that a door's method names can make. The
// protocols know 27; beyond the bound the label is "other".
const maxMethods = 128

// Metrics is everything at /metrics, in a registry of its own. It is an
// Observer for the writer and for the jobs. Labels are routes, the doors' methods and codes:
// never an app, a member or anything a stranger can choose freely.
type Metrics struct {
	registry *prometheus.Registry

	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	answers  *prometheus.CounterVec
	stages   *prometheus.HistogramVec
	batches  *prometheus.CounterVec
	commands prometheus.Histogram
	jobRuns  *prometheus.CounterVec
	jobDone  *prometheus.CounterVec
	jobTook  *prometheus.CounterVec
	leading  prometheus.Gauge

	mu      sync.Mutex
	methods map[string]bool
}

// Buckets from what one call takes on a quiet machine to what a till gives up
// at.
var (
	requestBuckets = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}
	stageBuckets   = []float64{.00005, .0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, 1, 5}
)

// NewMetrics makes the registry. version and database are shown as they are.
func NewMetrics(version, database string) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		methods:  map[string]bool{},
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "memberd_http_requests_total", Help: "Requests by route, method of the door and class of HTTP status."},
			[]string{"route", "method", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "memberd_http_request_seconds", Help: "Time from the head of a request to the end of its answer.", Buckets: requestBuckets},
			[]string{"route", "method"}),
		answers: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "memberd_answers_total", Help: "Answers of the doors by the number in the protocol."},
			[]string{"door", "answer"}),
		stages: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "memberd_writer_stage_seconds", Help: "Time of each stage of the writer; queue is per change, the others per batch.", Buckets: stageBuckets},
			[]string{"stage"}),
		batches: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "memberd_writer_batches_total", Help: "Batches by how they ended."},
			[]string{"outcome"}),
		commands: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "memberd_writer_batch_commands", Help: "Changes in a batch.", Buckets: prometheus.ExponentialBuckets(1, 2, 8)}),
	}
	m.jobRuns = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "memberd_job_runs_total", Help: "Rounds of a job for a merchant, by how they ended."},
		[]string{"job", "outcome"})
	m.jobDone = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "memberd_job_done_total", Help: "Things that a job has settled."},
		[]string{"job"})
	m.jobTook = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "memberd_job_seconds_total", Help: "Time that a job has taken."},
		[]string{"job"})
	m.leading = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "memberd_jobs_leading", Help: "1 in the one process of all that runs the jobs."})
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "memberd_build_info", Help: "Always 1; what runs here.",
		ConstLabels: prometheus.Labels{"version": version, "database": database}})
	build.Set(1)
	m.registry.MustRegister(m.requests, m.seconds, m.answers, m.stages, m.batches, m.commands, build,
		m.jobRuns, m.jobDone, m.jobTook, m.leading,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Gauge shows a value that is asked for at each scrape. read must be safe for
// concurrent use. A name may be registered once.
func (m *Metrics) Gauge(name, help string, read func() float64) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, read))
}

// Counter is Gauge for a value that only grows.
func (m *Metrics) Counter(name, help string, read func() float64) {
	m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, read))
}

// Stage is told by the writer how long a stage took.
func (m *Metrics) Stage(stage string, took time.Duration) {
	m.stages.WithLabelValues(stage).Observe(took.Seconds())
}

// JobRan is told by the jobs how a round for a merchant ended.
func (m *Metrics) JobRan(job, outcome string, done int, took time.Duration) {
	m.jobRuns.WithLabelValues(job, outcome).Inc()
	m.jobDone.WithLabelValues(job).Add(float64(done))
	m.jobTook.WithLabelValues(job).Add(took.Seconds())
}

// Leading is told by the jobs whether this process runs them.
func (m *Metrics) Leading(leading bool) {
	m.leading.Set(0)
	if leading {
		m.leading.Set(1)
	}
}

// Batch is told by the writer how a batch of so many commands ended.
func (m *Metrics) Batch(commands int, outcome string) {
	m.batches.WithLabelValues(outcome).Inc()
	m.commands.Observe(float64(commands))
}

func (m *Metrics) observe(c *call, status int, took time.Duration) {
	method := m.method(c)
	m.requests.WithLabelValues(c.route, method, strconv.Itoa(status/100)+"xx").Inc()
	m.seconds.WithLabelValues(c.route, method).Observe(took.Seconds())
	if c.door.Name != "" {
		answer := c.code
		if answer == "" {
			answer = "none"
		}
		m.answers.WithLabelValues(c.door.Name, answer).Inc()
	}
}

// unknownMethod is the gateway's number for a method that does not exist; its
// name is a stranger's.
const unknownMethod = "1008"

func (m *Metrics) method(c *call) string {
	if c.method == "" {
		return "none"
	}
	if c.code == unknownMethod {
		return "unknown"
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.methods[c.method] {
		if len(m.methods) >= maxMethods {
			return "other"
		}
		m.methods[c.method] = true
	}
	return c.method
}

func (m *Metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry})
}
