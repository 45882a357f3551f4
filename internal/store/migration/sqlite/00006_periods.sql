-- Growth value by periods, and what time does by itself.

-- +goose Up
ALTER TABLE member ADD COLUMN held            INTEGER NOT NULL DEFAULT 0; -- level kept from the last period
ALTER TABLE member ADD COLUMN period_start    INTEGER NOT NULL DEFAULT 0;
ALTER TABLE member ADD COLUMN period_end      INTEGER NOT NULL DEFAULT 9223372036854775807;
ALTER TABLE member ADD COLUMN announced_until INTEGER NOT NULL DEFAULT 0;

-- A coupon that has ended unused, as far as its end has been booked.
ALTER TABLE coupon ADD COLUMN lapsed INTEGER NOT NULL DEFAULT 0;
CREATE INDEX coupon_ending ON coupon (end_at) WHERE lapsed = 0 AND state IN (1, 3, 4);

-- Moves when one of the merchant's apps does: the rules of a batch include who
-- is told of it.
ALTER TABLE merchant ADD COLUMN apps_version INTEGER NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE merchant DROP COLUMN apps_version;
DROP INDEX coupon_ending;
ALTER TABLE coupon DROP COLUMN lapsed;
ALTER TABLE member DROP COLUMN announced_until;
ALTER TABLE member DROP COLUMN period_end;
ALTER TABLE member DROP COLUMN period_start;
ALTER TABLE member DROP COLUMN held;
