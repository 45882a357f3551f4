-- Levels and caps that a programme may change: why a grant is what it is, every
-- change of a level, and what counts against caps.

-- +goose Up
ALTER TABLE entry ADD COLUMN decision TEXT COLLATE "C" NOT NULL DEFAULT ''; -- JSON, '' for none

ALTER TABLE member ADD COLUMN level_moves BIGINT NOT NULL DEFAULT 0;
ALTER TABLE member ADD COLUMN kept        BIGINT NOT NULL DEFAULT 0; -- level that a change of the levels has left

CREATE TABLE level_move (
    member_id  BIGINT NOT NULL,
    move_no    BIGINT NOT NULL, -- dense per member
    at         BIGINT NOT NULL,
    from_level BIGINT NOT NULL,
    to_level   BIGINT NOT NULL,
    PRIMARY KEY (member_id, move_no)
);

CREATE TABLE tally (
    member_id BIGINT NOT NULL,
    name      TEXT COLLATE "C" NOT NULL, -- of what
    day       BIGINT NOT NULL, -- when it begins, 0 for ever
    points    BIGINT NOT NULL,
    PRIMARY KEY (member_id, name, day)
);

-- The version of the settings to which all members of the merchant have been
-- brought. That is none yet, so they are looked through once.
ALTER TABLE merchant ADD COLUMN members_version BIGINT NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE merchant DROP COLUMN members_version;
DROP TABLE tally;
DROP TABLE level_move;
ALTER TABLE member DROP COLUMN kept;
ALTER TABLE member DROP COLUMN level_moves;
ALTER TABLE entry DROP COLUMN decision;
