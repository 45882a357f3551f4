-- The tables of the core. Times are Unix milliseconds in UTC, points and money
-- (fen) are integers. A member's rows stand together under its member_id. Text
-- sorts by bytes, as in SQLite.

-- +goose Up
CREATE TABLE merchant (
    merchant_id      TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    name             TEXT COLLATE "C" NOT NULL,
    sandbox          BIGINT NOT NULL,
    clock_offset     BIGINT NOT NULL,
    platform_key     TEXT COLLATE "C" NOT NULL, -- sealed
    settings_version BIGINT NOT NULL,
    settings         TEXT COLLATE "C" NOT NULL,
    created_at       BIGINT NOT NULL
);

CREATE TABLE settings_history (
    merchant_id TEXT COLLATE "C" NOT NULL,
    version     BIGINT NOT NULL,
    settings    TEXT COLLATE "C" NOT NULL,
    changed_at  BIGINT NOT NULL,
    operator    TEXT COLLATE "C" NOT NULL,
    reason      TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (merchant_id, version)
);

CREATE TABLE app (
    app_id        TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    merchant_id   TEXT COLLATE "C" NOT NULL,
    name          TEXT COLLATE "C" NOT NULL,
    secret        TEXT COLLATE "C" NOT NULL, -- sealed
    space         TEXT COLLATE "C" NOT NULL,
    unsigned      BIGINT NOT NULL,
    disabled      BIGINT NOT NULL,
    callback_url  TEXT COLLATE "C" NOT NULL,
    caller_key    TEXT COLLATE "C" NOT NULL,
    token_limit   BIGINT NOT NULL,
    refresh_limit BIGINT NOT NULL,
    window_ms     BIGINT NOT NULL,
    created_at    BIGINT NOT NULL
);
CREATE INDEX app_of_merchant ON app (merchant_id, app_id);

CREATE TABLE token (
    token_hash TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    app_id     TEXT COLLATE "C" NOT NULL,
    kind       TEXT COLLATE "C" NOT NULL, -- access, refresh
    expires_at BIGINT NOT NULL
);
CREATE INDEX token_of_app ON token (app_id, kind);

CREATE TABLE token_count (
    app_id TEXT COLLATE "C" NOT NULL,
    day    TEXT COLLATE "C" NOT NULL,
    kind   TEXT COLLATE "C" NOT NULL,
    count  BIGINT NOT NULL,
    PRIMARY KEY (app_id, day, kind)
);

CREATE TABLE key_check (
    id    BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    value TEXT COLLATE "C" NOT NULL
);

CREATE TABLE id_block (
    kind      TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    next_free BIGINT NOT NULL
);

CREATE TABLE member (
    member_id     BIGINT NOT NULL PRIMARY KEY,
    merchant_id   TEXT COLLATE "C" NOT NULL,
    open_id       TEXT COLLATE "C" NOT NULL,
    status        BIGINT NOT NULL,
    level         BIGINT NOT NULL,
    growth        BIGINT NOT NULL,
    earned        BIGINT NOT NULL,
    used          BIGINT NOT NULL,
    balance       BIGINT NOT NULL,
    pending       BIGINT NOT NULL,
    deficit       BIGINT NOT NULL,
    entries       BIGINT NOT NULL,
    credits       BIGINT NOT NULL,
    audits        BIGINT NOT NULL,
    next_due_at   BIGINT NOT NULL,
    last_entry_at BIGINT NOT NULL,
    registered_at BIGINT NOT NULL
);
CREATE INDEX member_registered ON member (merchant_id, registered_at DESC, member_id);
CREATE INDEX member_due ON member (merchant_id, next_due_at) WHERE next_due_at < 9223372036854775807;

CREATE TABLE member_profile (
    member_id   BIGINT NOT NULL PRIMARY KEY,
    nickname    TEXT COLLATE "C" NOT NULL,
    birth_month BIGINT NOT NULL,
    birth_day   BIGINT NOT NULL,
    store       TEXT COLLATE "C" NOT NULL,
    sealed      TEXT COLLATE "C" NOT NULL -- everything else about the person
);

CREATE TABLE identity (
    merchant_id TEXT COLLATE "C" NOT NULL,
    kind        TEXT COLLATE "C" NOT NULL,
    value       TEXT COLLATE "C" NOT NULL, -- a keyed hash where it is personal data
    member_id   BIGINT NOT NULL,
    PRIMARY KEY (merchant_id, kind, value)
);

CREATE TABLE entry (
    member_id BIGINT NOT NULL,
    entry_no  BIGINT NOT NULL,
    at        BIGINT NOT NULL,
    kind      BIGINT NOT NULL,
    amount    BIGINT NOT NULL,
    points    BIGINT NOT NULL,
    pending   BIGINT NOT NULL,
    deficit   BIGINT NOT NULL,
    lapsed    BIGINT NOT NULL,
    balance   BIGINT NOT NULL,
    operation BIGINT NOT NULL,
    reverses  BIGINT NOT NULL,
    reversed  BIGINT NOT NULL,
    credits   BIGINT NOT NULL,
    parts     TEXT COLLATE "C" NOT NULL,
    app_id    TEXT COLLATE "C" NOT NULL,
    space     TEXT COLLATE "C" NOT NULL,
    event     TEXT COLLATE "C" NOT NULL,
    reason    TEXT COLLATE "C" NOT NULL,
    order_no  TEXT COLLATE "C" NOT NULL,
    activity  TEXT COLLATE "C" NOT NULL,
    detail    TEXT COLLATE "C" NOT NULL, -- JSON, '' for none
    PRIMARY KEY (member_id, entry_no)
);
CREATE INDEX entry_of_order ON entry (member_id, space, order_no) WHERE order_no <> '';

CREATE TABLE lot (
    member_id    BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    available_at BIGINT NOT NULL,
    source       TEXT COLLATE "C" NOT NULL,
    remaining    BIGINT NOT NULL,
    pending      BIGINT NOT NULL,
    PRIMARY KEY (member_id, expires_at, available_at, source)
);

CREATE TABLE lapsed_lot (
    member_id    BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    available_at BIGINT NOT NULL,
    source       TEXT COLLATE "C" NOT NULL,
    quantity     BIGINT NOT NULL,
    attributed   BIGINT NOT NULL,
    PRIMARY KEY (member_id, expires_at, available_at, source)
);

CREATE TABLE idempotency_key (
    member_id   BIGINT NOT NULL,
    space       TEXT COLLATE "C" NOT NULL,
    operation   TEXT COLLATE "C" NOT NULL,
    key_id      TEXT COLLATE "C" NOT NULL,
    fingerprint TEXT COLLATE "C" NOT NULL,
    answer      TEXT COLLATE "C" NOT NULL,
    entry_no    BIGINT NOT NULL,
    at          BIGINT NOT NULL,
    PRIMARY KEY (member_id, space, operation, key_id)
);

CREATE TABLE audit (
    member_id BIGINT NOT NULL,
    audit_no  BIGINT NOT NULL,
    at        BIGINT NOT NULL,
    action    TEXT COLLATE "C" NOT NULL,
    operator  TEXT COLLATE "C" NOT NULL,
    reason    TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (member_id, audit_no)
);

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
