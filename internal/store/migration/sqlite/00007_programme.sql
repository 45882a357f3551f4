-- Levels and caps that a programme may change: why a grant is what it is, every
-- change of a level, and what counts against caps.

-- +goose Up
ALTER TABLE entry ADD COLUMN decision TEXT NOT NULL DEFAULT ''; -- JSON, '' for none

ALTER TABLE member ADD COLUMN level_moves INTEGER NOT NULL DEFAULT 0;
ALTER TABLE member ADD COLUMN kept        INTEGER NOT NULL DEFAULT 0; -- level that a change of the levels has left

CREATE TABLE level_move (
    member_id  INTEGER NOT NULL,
    move_no    INTEGER NOT NULL, -- dense per member
    at         INTEGER NOT NULL,
    from_level INTEGER NOT NULL,
    to_level   INTEGER NOT NULL,
    PRIMARY KEY (member_id, move_no)
) STRICT, WITHOUT ROWID;

CREATE TABLE tally (
    member_id INTEGER NOT NULL,
    name      TEXT    NOT NULL, -- of what
    day       INTEGER NOT NULL, -- when it begins, 0 for ever
    points    INTEGER NOT NULL,
    PRIMARY KEY (member_id, name, day)
) STRICT, WITHOUT ROWID;

-- The version of the settings to which all members of the merchant have been
-- brought. That is none yet, so they are looked through once.
ALTER TABLE merchant ADD COLUMN members_version INTEGER NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE merchant DROP COLUMN members_version;
DROP TABLE tally;
DROP TABLE level_move;
ALTER TABLE member DROP COLUMN kept;
ALTER TABLE member DROP COLUMN level_moves;
ALTER TABLE entry DROP COLUMN decision;
