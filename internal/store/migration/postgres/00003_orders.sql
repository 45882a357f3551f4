-- Orders with their refunds, coupons with their templates, and the marks by
-- which operators know members. Money is in fen.

-- +goose Up
-- Numbers of orders and coupons are identities as well; row_no is the row's
-- number with the member, 0 for the member itself.
ALTER TABLE identity ADD COLUMN row_no BIGINT NOT NULL DEFAULT 0;

ALTER TABLE member ADD COLUMN orders        BIGINT NOT NULL DEFAULT 0;
ALTER TABLE member ADD COLUMN coupons       BIGINT NOT NULL DEFAULT 0;
ALTER TABLE member ADD COLUMN consume_count BIGINT NOT NULL DEFAULT 0;
ALTER TABLE member ADD COLUMN consume_fen   BIGINT NOT NULL DEFAULT 0;

CREATE TABLE member_order (
    member_id   BIGINT NOT NULL,
    order_seq   BIGINT NOT NULL, -- dense per member
    order_id    BIGINT NOT NULL,
    kind        BIGINT NOT NULL, -- 1 order, 2 refund
    state       BIGINT NOT NULL, -- 1 booked, 2 parked, 3 declined
    booked_at   BIGINT NOT NULL,
    consumed_at BIGINT NOT NULL,
    amount      BIGINT NOT NULL,
    points      BIGINT NOT NULL,
    growth      BIGINT NOT NULL,
    entry_no    BIGINT NOT NULL,
    refunded    BIGINT NOT NULL,
    taken_back  BIGINT NOT NULL,
    growth_back BIGINT NOT NULL,
    space       TEXT COLLATE "C" NOT NULL,
    number      TEXT COLLATE "C" NOT NULL,
    parent      TEXT COLLATE "C" NOT NULL, -- of a refund: the order's number
    rule        TEXT COLLATE "C" NOT NULL, -- JSON: what it earned by
    app_id      TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (member_id, order_seq)
);
CREATE INDEX parked_refund ON member_order (member_id, space, parent) WHERE state = 2;

CREATE TABLE order_detail (
    member_id BIGINT NOT NULL,
    order_seq BIGINT NOT NULL,
    detail    TEXT COLLATE "C" NOT NULL, -- JSON, '' for none
    sealed    TEXT COLLATE "C" NOT NULL, -- the personal part, '' for none
    PRIMARY KEY (member_id, order_seq)
);

CREATE TABLE coupon (
    member_id     BIGINT NOT NULL,
    coupon_seq    BIGINT NOT NULL, -- dense per member
    coupon_id     BIGINT NOT NULL,
    template_id   BIGINT NOT NULL,
    state         BIGINT NOT NULL,
    given_at      BIGINT NOT NULL,
    received_at   BIGINT NOT NULL,
    begin_at      BIGINT NOT NULL,
    end_at        BIGINT NOT NULL, -- exclusive
    used_at       BIGINT NOT NULL,
    space         TEXT COLLATE "C" NOT NULL,
    number        TEXT COLLATE "C" NOT NULL,
    receive_store TEXT COLLATE "C" NOT NULL,
    used_for      TEXT COLLATE "C" NOT NULL, -- order number, '' for none
    used_store    TEXT COLLATE "C" NOT NULL,
    app_id        TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (member_id, coupon_seq)
);
-- The state leads, so that no planner without statistics takes this index for a
-- look-up by the primary key. Counts by state need nothing but the index.
CREATE INDEX coupon_of_state ON coupon (state, member_id, end_at, begin_at);
CREATE INDEX coupon_of_order ON coupon (member_id, space, used_for) WHERE used_for <> '';

CREATE TABLE coupon_template (
    template_id BIGINT NOT NULL PRIMARY KEY,
    merchant_id TEXT COLLATE "C" NOT NULL,
    space       TEXT COLLATE "C" NOT NULL,
    number      TEXT COLLATE "C" NOT NULL,
    issued      BIGINT NOT NULL, -- all else never changes
    created_at  BIGINT NOT NULL,
    app_id      TEXT COLLATE "C" NOT NULL,
    terms       TEXT COLLATE "C" NOT NULL, -- JSON
    UNIQUE (merchant_id, space, number)
);

CREATE TABLE coupon_claim (
    member_id   BIGINT NOT NULL,
    template_id BIGINT NOT NULL,
    count       BIGINT NOT NULL,
    PRIMARY KEY (member_id, template_id)
);

CREATE TABLE member_label (
    member_id   BIGINT NOT NULL,
    label       TEXT COLLATE "C" NOT NULL,
    merchant_id TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (member_id, label)
);
CREATE INDEX member_of_label ON member_label (merchant_id, label, member_id);

CREATE TABLE paid_card (
    member_id   BIGINT NOT NULL,
    card_id     TEXT COLLATE "C" NOT NULL,
    merchant_id TEXT COLLATE "C" NOT NULL,
    name        TEXT COLLATE "C" NOT NULL,
    expires_at  BIGINT NOT NULL,
    PRIMARY KEY (member_id, card_id)
);
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
