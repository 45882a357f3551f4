-- Who runs the jobs: one process of all that stand on the database.

-- +goose Up
CREATE TABLE job_lease (
    name        TEXT   NOT NULL PRIMARY KEY,
    owner       TEXT   NOT NULL,
    lease_until BIGINT NOT NULL
);

-- +goose Down
DROP TABLE job_lease;
