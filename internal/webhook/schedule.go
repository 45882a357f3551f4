package webhook

import "time"

// steps are the delays after the first failures, in multiples of the base; all
// later ones are the last.
var steps = [...]int64{1, 5, 30, 120, 360, 720}

const (
	// jitter spreads the delays by a tenth to both sides, so that streams which
	// failed together do not come back together.
	jitter = 0.1
	// parkAttempts is the least number of failures before an event is parked,
	// whatever the time.
	parkAttempts = 10
)

// delay is how long to wait after so many failures. random is in [0, 1).
func delay(base time.Duration, failures int64, random float64) time.Duration {
	step := steps[min(max(failures, 1), int64(len(steps)))-1]
	return time.Duration(float64(base) * float64(step) * (1 - jitter + 2*jitter*random))
}

// longest is a delay that none is longer than.
func longest(base time.Duration) time.Duration {
	return time.Duration(float64(base) * float64(steps[len(steps)-1]) * (1 + jitter))
}

// failed turns an outcome into a failure: again later, or parked. A clock that
// was set back only makes it wait longer.
func (d *Deliverer) failed(o *Outcome, now time.Time, why string) {
	o.Failure = why
	o.Attempts++
	if o.FailingSince == 0 {
		o.FailingSince = now.UnixMilli()
	}
	if o.Attempts >= parkAttempts && now.UnixMilli()-o.FailingSince >= d.opts.ParkAfter.Milliseconds() {
		o.Result, o.Next = Parked, now.UnixMilli()
		return
	}
	o.Result = Failed
	o.Next = now.Add(delay(d.opts.RetryBase, o.Attempts, d.opts.Random())).UnixMilli()
}
