-- Callbacks to partners: an outbox of ids and numbers. What is told about a
-- person is read when a callback is sent.

-- +goose Up
CREATE TABLE callback_event (
    member_id  INTEGER NOT NULL,
    event_no   INTEGER NOT NULL, -- dense per member and app
    ref        INTEGER NOT NULL, -- ledger entry or coupon, 0 for none
    from_value INTEGER NOT NULL,
    to_value   INTEGER NOT NULL,
    at         INTEGER NOT NULL, -- merchant's clock
    state      INTEGER NOT NULL, -- 1 waiting, 2 delivered, 3 parked, 4 dropped
    attempts   INTEGER NOT NULL,
    done_at    INTEGER NOT NULL, -- real clock, 0 while it waits
    app_id     TEXT    NOT NULL,
    kind       TEXT    NOT NULL,
    failure    TEXT    NOT NULL DEFAULT '', -- of the last attempt
    PRIMARY KEY (member_id, app_id, event_no)
) STRICT, WITHOUT ROWID;
CREATE INDEX callback_event_parked ON callback_event (app_id, member_id, event_no) WHERE state = 3;
CREATE INDEX callback_event_done ON callback_event (app_id, done_at) WHERE state IN (2, 4);

-- The events of one member for one app, of which one is sent at a time. next_at
-- is when it may be claimed (real clock), and the end of the lease while
-- lease_owner is set; the largest number when nothing waits.
CREATE TABLE callback_stream (
    member_id     INTEGER NOT NULL,
    last_no       INTEGER NOT NULL, -- newest event
    done_no       INTEGER NOT NULL, -- all up to this one are sent, parked or dropped
    next_at       INTEGER NOT NULL,
    attempts      INTEGER NOT NULL, -- failed ones of the next event
    failing_since INTEGER NOT NULL, -- 0 for not failing
    app_id        TEXT    NOT NULL,
    lease_owner   TEXT    NOT NULL,
    PRIMARY KEY (member_id, app_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX callback_stream_due ON callback_stream (app_id, next_at) WHERE next_at < 9223372036854775807;

-- Events that an operator wants to be sent again, apart from their stream.
CREATE TABLE callback_resend (
    member_id     INTEGER NOT NULL,
    event_no      INTEGER NOT NULL,
    next_at       INTEGER NOT NULL,
    attempts      INTEGER NOT NULL,
    failing_since INTEGER NOT NULL,
    app_id        TEXT    NOT NULL,
    lease_owner   TEXT    NOT NULL,
    PRIMARY KEY (member_id, app_id, event_no)
) STRICT, WITHOUT ROWID;
CREATE INDEX callback_resend_due ON callback_resend (app_id, next_at);

-- +goose Down
DROP TABLE callback_resend;
DROP TABLE callback_stream;
DROP TABLE callback_event;
