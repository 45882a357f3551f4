-- Who runs the jobs: one process of all that stand on the database.

-- +goose Up
CREATE TABLE job_lease (
    name        TEXT   NOT NULL PRIMARY KEY,
    owner       TEXT   NOT NULL,
    lease_until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- +goose Down
DROP TABLE job_lease;
