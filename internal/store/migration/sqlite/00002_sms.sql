-- Verification codes sent by text message. Phones, addresses and codes stand
-- here as keyed hashes only. Rows are deleted some time after kept_until.

-- +goose Up
CREATE TABLE sms_code (
    merchant_id TEXT    NOT NULL,
    phone       TEXT    NOT NULL, -- keyed hash
    send_id     TEXT    NOT NULL,
    code        TEXT    NOT NULL, -- keyed hash
    sent_at     INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,
    kept_until  INTEGER NOT NULL,
    attempts    INTEGER NOT NULL, -- wrong ones
    used_for    TEXT    NOT NULL, -- judge, register, '' for not yet
    PRIMARY KEY (merchant_id, phone)
) STRICT, WITHOUT ROWID;
CREATE INDEX sms_code_kept ON sms_code (kept_until);

CREATE TABLE sms_count (
    merchant_id TEXT    NOT NULL,
    kind        TEXT    NOT NULL, -- phone, app, source
    subject     TEXT    NOT NULL, -- an app's id, else a keyed hash
    period      TEXT    NOT NULL,
    count       INTEGER NOT NULL,
    kept_until  INTEGER NOT NULL,
    PRIMARY KEY (merchant_id, kind, subject, period)
) STRICT, WITHOUT ROWID;
CREATE INDEX sms_count_kept ON sms_count (kept_until);

-- +goose Down
DROP TABLE sms_count;
DROP TABLE sms_code;
