-- The tables of the core. Times are Unix milliseconds in UTC, points and money
-- (fen) are integers. A member's rows stand together under its member_id.

-- +goose Up
CREATE TABLE merchant (
    merchant_id      TEXT    NOT NULL PRIMARY KEY,
    name             TEXT    NOT NULL,
    sandbox          INTEGER NOT NULL,
    clock_offset     INTEGER NOT NULL,
    platform_key     TEXT    NOT NULL, -- sealed
    settings_version INTEGER NOT NULL,
    settings         TEXT    NOT NULL,
    created_at       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE settings_history (
    merchant_id TEXT    NOT NULL,
    version     INTEGER NOT NULL,
    settings    TEXT    NOT NULL,
    changed_at  INTEGER NOT NULL,
    operator    TEXT    NOT NULL,
    reason      TEXT    NOT NULL,
    PRIMARY KEY (merchant_id, version)
) STRICT, WITHOUT ROWID;

CREATE TABLE app (
    app_id        TEXT    NOT NULL PRIMARY KEY,
    merchant_id   TEXT    NOT NULL,
    name          TEXT    NOT NULL,
    secret        TEXT    NOT NULL, -- sealed
    space         TEXT    NOT NULL,
    unsigned      INTEGER NOT NULL,
    disabled      INTEGER NOT NULL,
    callback_url  TEXT    NOT NULL,
    caller_key    TEXT    NOT NULL,
    token_limit   INTEGER NOT NULL,
    refresh_limit INTEGER NOT NULL,
    window_ms     INTEGER NOT NULL,
    created_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX app_of_merchant ON app (merchant_id, app_id);

CREATE TABLE token (
    token_hash TEXT    NOT NULL PRIMARY KEY,
    app_id     TEXT    NOT NULL,
    kind       TEXT    NOT NULL, -- access, refresh
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX token_of_app ON token (app_id, kind);

CREATE TABLE token_count (
    app_id TEXT    NOT NULL,
    day    TEXT    NOT NULL,
    kind   TEXT    NOT NULL,
    count  INTEGER NOT NULL,
    PRIMARY KEY (app_id, day, kind)
) STRICT, WITHOUT ROWID;

CREATE TABLE key_check (
    id    INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    value TEXT    NOT NULL
) STRICT;

CREATE TABLE id_block (
    kind      TEXT    NOT NULL PRIMARY KEY,
    next_free INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE member (
    member_id     INTEGER NOT NULL PRIMARY KEY,
    merchant_id   TEXT    NOT NULL,
    open_id       TEXT    NOT NULL,
    status        INTEGER NOT NULL,
    level         INTEGER NOT NULL,
    growth        INTEGER NOT NULL,
    earned        INTEGER NOT NULL,
    used          INTEGER NOT NULL,
    balance       INTEGER NOT NULL,
    pending       INTEGER NOT NULL,
    deficit       INTEGER NOT NULL,
    entries       INTEGER NOT NULL,
    credits       INTEGER NOT NULL,
    audits        INTEGER NOT NULL,
    next_due_at   INTEGER NOT NULL,
    last_entry_at INTEGER NOT NULL,
    registered_at INTEGER NOT NULL
) STRICT;
CREATE INDEX member_registered ON member (merchant_id, registered_at DESC, member_id);
CREATE INDEX member_due ON member (merchant_id, next_due_at) WHERE next_due_at < 9223372036854775807;

CREATE TABLE member_profile (
    member_id   INTEGER NOT NULL PRIMARY KEY,
    nickname    TEXT    NOT NULL,
    birth_month INTEGER NOT NULL,
    birth_day   INTEGER NOT NULL,
    store       TEXT    NOT NULL,
    sealed      TEXT    NOT NULL -- everything else about the person
) STRICT;

CREATE TABLE identity (
    merchant_id TEXT    NOT NULL,
    kind        TEXT    NOT NULL,
    value       TEXT    NOT NULL, -- a keyed hash where it is personal data
    member_id   INTEGER NOT NULL,
    PRIMARY KEY (merchant_id, kind, value)
) STRICT, WITHOUT ROWID;

CREATE TABLE entry (
    member_id INTEGER NOT NULL,
    entry_no  INTEGER NOT NULL,
    at        INTEGER NOT NULL,
    kind      INTEGER NOT NULL,
    amount    INTEGER NOT NULL,
    points    INTEGER NOT NULL,
    pending   INTEGER NOT NULL,
    deficit   INTEGER NOT NULL,
    lapsed    INTEGER NOT NULL,
    balance   INTEGER NOT NULL,
    operation INTEGER NOT NULL,
    reverses  INTEGER NOT NULL,
    reversed  INTEGER NOT NULL,
    credits   INTEGER NOT NULL,
    parts     TEXT    NOT NULL,
    app_id    TEXT    NOT NULL,
    space     TEXT    NOT NULL,
    event     TEXT    NOT NULL,
    reason    TEXT    NOT NULL,
    order_no  TEXT    NOT NULL,
    activity  TEXT    NOT NULL,
    detail    TEXT    NOT NULL, -- JSON, '' for none
    PRIMARY KEY (member_id, entry_no)
) STRICT, WITHOUT ROWID;
CREATE INDEX entry_of_order ON entry (member_id, space, order_no) WHERE order_no <> '';

CREATE TABLE lot (
    member_id    INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL,
    available_at INTEGER NOT NULL,
    source       TEXT    NOT NULL,
    remaining    INTEGER NOT NULL,
    pending      INTEGER NOT NULL,
    PRIMARY KEY (member_id, expires_at, available_at, source)
) STRICT, WITHOUT ROWID;

CREATE TABLE lapsed_lot (
    member_id    INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL,
    available_at INTEGER NOT NULL,
    source       TEXT    NOT NULL,
    quantity     INTEGER NOT NULL,
    attributed   INTEGER NOT NULL,
    PRIMARY KEY (member_id, expires_at, available_at, source)
) STRICT, WITHOUT ROWID;

CREATE TABLE idempotency_key (
    member_id   INTEGER NOT NULL,
    space       TEXT    NOT NULL,
    operation   TEXT    NOT NULL,
    key_id      TEXT    NOT NULL,
    fingerprint TEXT    NOT NULL,
    answer      TEXT    NOT NULL,
    entry_no    INTEGER NOT NULL,
    at          INTEGER NOT NULL,
    PRIMARY KEY (member_id, space, operation, key_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE audit (
    member_id INTEGER NOT NULL,
    audit_no  INTEGER NOT NULL,
    at        INTEGER NOT NULL,
    action    TEXT    NOT NULL,
    operator  TEXT    NOT NULL,
    reason    TEXT    NOT NULL,
    PRIMARY KEY (member_id, audit_no)
) STRICT, WITHOUT ROWID;

-- +goose Down
DROP TABLE audit;
DROP TABLE idempotency_key;
DROP TABLE lapsed_lot;
DROP TABLE lot;
DROP TABLE entry;
DROP TABLE identity;
DROP TABLE member_profile;
DROP TABLE member;
DROP TABLE id_block;
DROP TABLE key_check;
DROP TABLE token_count;
DROP TABLE token;
DROP TABLE app;
DROP TABLE settings_history;
DROP TABLE merchant;
