-- Lists of members by nothing but their state, level or registration are
-- counted and skipped in the index alone. What was added to it seldom changes.

-- +goose Up
DROP INDEX member_registered;
CREATE INDEX member_registered ON member (merchant_id, registered_at DESC, member_id, status, level);

-- +goose Down
DROP INDEX member_registered;
CREATE INDEX member_registered ON member (merchant_id, registered_at DESC, member_id);
