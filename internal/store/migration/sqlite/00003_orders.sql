-- Orders with their refunds, coupons with their templates, and the marks by
-- which operators know members. Money is in fen.

-- +goose Up
-- Numbers of orders and coupons are identities as well; row_no is the row's
-- number with the member, 0 for the member itself.
ALTER TABLE identity ADD COLUMN row_no INTEGER NOT NULL DEFAULT 0;

ALTER TABLE member ADD COLUMN orders        INTEGER NOT NULL DEFAULT 0;
ALTER TABLE member ADD COLUMN coupons       INTEGER NOT NULL DEFAULT 0;
ALTER TABLE member ADD COLUMN consume_count INTEGER NOT NULL DEFAULT 0;
ALTER TABLE member ADD COLUMN consume_fen   INTEGER NOT NULL DEFAULT 0;

CREATE TABLE member_order (
    member_id   INTEGER NOT NULL,
    order_seq   INTEGER NOT NULL, -- dense per member
    order_id    INTEGER NOT NULL,
    kind        INTEGER NOT NULL, -- 1 order, 2 refund
    state       INTEGER NOT NULL, -- 1 booked, 2 parked, 3 declined
    booked_at   INTEGER NOT NULL,
    consumed_at INTEGER NOT NULL,
    amount      INTEGER NOT NULL,
    points      INTEGER NOT NULL,
    growth      INTEGER NOT NULL,
    entry_no    INTEGER NOT NULL,
    refunded    INTEGER NOT NULL,
    taken_back  INTEGER NOT NULL,
    growth_back INTEGER NOT NULL,
    space       TEXT    NOT NULL,
    number      TEXT    NOT NULL,
    parent      TEXT    NOT NULL, -- of a refund: the order's number
    rule        TEXT    NOT NULL, -- JSON: what it earned by
    app_id      TEXT    NOT NULL,
    PRIMARY KEY (member_id, order_seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX parked_refund ON member_order (member_id, space, parent) WHERE state = 2;

CREATE TABLE order_detail (
    member_id INTEGER NOT NULL,
    order_seq INTEGER NOT NULL,
    detail    TEXT    NOT NULL, -- JSON, '' for none
    sealed    TEXT    NOT NULL, -- the personal part, '' for none
    PRIMARY KEY (member_id, order_seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE coupon (
    member_id     INTEGER NOT NULL,
    coupon_seq    INTEGER NOT NULL, -- dense per member
    coupon_id     INTEGER NOT NULL,
    template_id   INTEGER NOT NULL,
    state         INTEGER NOT NULL,
    given_at      INTEGER NOT NULL,
    received_at   INTEGER NOT NULL,
    begin_at      INTEGER NOT NULL,
    end_at        INTEGER NOT NULL, -- exclusive
    used_at       INTEGER NOT NULL,
    space         TEXT    NOT NULL,
    number        TEXT    NOT NULL,
    receive_store TEXT    NOT NULL,
    used_for      TEXT    NOT NULL, -- order number, '' for none
    used_store    TEXT    NOT NULL,
    app_id        TEXT    NOT NULL,
    PRIMARY KEY (member_id, coupon_seq)
) STRICT, WITHOUT ROWID;
-- The state leads, so that no planner without statistics takes this index for a
-- look-up by the primary key. Counts by state need nothing but the index.
CREATE INDEX coupon_of_state ON coupon (state, member_id, end_at, begin_at);
CREATE INDEX coupon_of_order ON coupon (member_id, space, used_for) WHERE used_for <> '';

CREATE TABLE coupon_template (
    template_id INTEGER NOT NULL PRIMARY KEY,
    merchant_id TEXT    NOT NULL,
    space       TEXT    NOT NULL,
    number      TEXT    NOT NULL,
    issued      INTEGER NOT NULL, -- all else never changes
    created_at  INTEGER NOT NULL,
    app_id      TEXT    NOT NULL,
    terms       TEXT    NOT NULL, -- JSON
    UNIQUE (merchant_id, space, number)
) STRICT;

CREATE TABLE coupon_claim (
    member_id   INTEGER NOT NULL,
    template_id INTEGER NOT NULL,
    count       INTEGER NOT NULL,
    PRIMARY KEY (member_id, template_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE member_label (
    member_id   INTEGER NOT NULL,
    label       TEXT    NOT NULL,
    merchant_id TEXT    NOT NULL,
    PRIMARY KEY (member_id, label)
) STRICT, WITHOUT ROWID;
CREATE INDEX member_of_label ON member_label (merchant_id, label, member_id);

CREATE TABLE paid_card (
    member_id   INTEGER NOT NULL,
    card_id     TEXT    NOT NULL,
    merchant_id TEXT    NOT NULL,
    name        TEXT    NOT NULL,
    expires_at  INTEGER NOT NULL,
    PRIMARY KEY (member_id, card_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX member_of_card ON paid_card (merchant_id, card_id, member_id);

-- +goose Down
DROP TABLE paid_card;
DROP TABLE member_label;
DROP TABLE coupon_claim;
DROP TABLE coupon_template;
DROP TABLE coupon;
DROP TABLE order_detail;
DROP TABLE member_order;
ALTER TABLE member DROP COLUMN consume_fen;
ALTER TABLE member DROP COLUMN consume_count;
ALTER TABLE member DROP COLUMN coupons;
ALTER TABLE member DROP COLUMN orders;
ALTER TABLE identity DROP COLUMN row_no;
