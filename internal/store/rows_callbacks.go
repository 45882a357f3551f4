package store

import (
	"slices"

	"github.com/memberd/memberd/internal/loyalty"
)

// This file is how the rows of the outbox are written by the change that they
// tell of. Who sends them reads and finishes them in outbox.go.

const eventColumns = `
	member_id,
	event_no,
	ref,
	from_value,
	to_value,
	at,
	state,
	attempts,
	done_at,
	app_id,
	kind`

const eventInts, eventTexts = 9, 2

// eventWaiting is the state of an event that has not been sent.
const eventWaiting = 1

func eventRecord(c *loyalty.Callback) record {
	return record{
		[]int64{c.Member, c.No, c.Ref, c.From, c.To, int64(c.At), eventWaiting, 0, 0},
		[]string{c.App, string(c.Kind)},
	}
}

const streamColumns = `
	member_id,
	last_no,
	done_no,
	next_at,
	attempts,
	failing_since,
	app_id,
	lease_owner`

const streamInts, streamTexts = 6, 2

// dueStream is a stream with something new in it, and since when it waits (real
// clock): those that wait longest are sent first.
type dueStream struct {
	loyalty.Stream
	since int64
}

func streamRecord(s *dueStream) record {
	return record{[]int64{s.Member, s.Last, 0, s.since, 0, 0}, []string{s.App, ""}}
}

// streamLoaded is what a change has to know of a stream.
const streamLoaded = `
	member_id,
	app_id,
	last_no`

func scanStream(row scanner) (s loyalty.Stream, err error) {
	err = row.Scan(&s.Member, &s.App, &s.Last)
	return s, err
}

// nameStreams names the streams of members whose merchant has apps to tell.
func (r *rows) nameStreams(ws *loyalty.WorkingSet, members []loyalty.Member) {
	for _, m := range members {
		if snap := ws.Snapshot(m.Merchant); snap != nil && len(snap.Apps) > 0 {
			r.streams = append(r.streams, m.ID)
		}
	}
	slices.Sort(r.streams)
}

// flagColumn scans 0 and 1 into a bool.
type flagColumn bool

// Scan implements sql.Scanner, which both drivers know.
func (f *flagColumn) Scan(value any) error {
	n, _ := value.(int64)
	*f = n != 0
	return nil
}
