-- Verification codes sent by text message. Phones, addresses and codes stand
-- here as keyed hashes only. Rows are deleted some time after kept_until.

-- +goose Up
CREATE TABLE sms_code (
    merchant_id TEXT COLLATE "C" NOT NULL,
    phone       TEXT COLLATE "C" NOT NULL, -- keyed hash
    send_id     TEXT COLLATE "C" NOT NULL,
    code        TEXT COLLATE "C" NOT NULL, -- keyed hash
    sent_at     BIGINT NOT NULL,
    expires_at  BIGINT NOT NULL,
    kept_until  BIGINT NOT NULL,
    attempts    BIGINT NOT NULL, -- wrong ones
    used_for    TEXT COLLATE "C" NOT NULL, -- judge, register, '' for not yet
    PRIMARY KEY (merchant_id, phone)
);
CREATE INDEX sms_code_kept ON sms_code (kept_until);

CREATE TABLE sms_count (
    merchant_id TEXT COLLATE "C" NOT NULL,
    kind        TEXT COLLATE "C" NOT NULL, -- phone, app, source
    subject     TEXT COLLATE "C" NOT NULL, -- an app's id, else a keyed hash
    period      TEXT COLLATE "C" NOT NULL,
    count       BIGINT NOT NULL,
    kept_until  BIGINT NOT NULL,
    PRIMARY KEY (merchant_id, kind, subject, period)
);
CREATE INDEX sms_count_kept ON sms_count (kept_until);

-- +goose Down
DROP TABLE sms_count;
DROP TABLE sms_code;
