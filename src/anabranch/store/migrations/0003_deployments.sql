-- What `apply` remembers: a serial for each namespace of an environment, and a row for each resource.
-- `pending` marks a resource for which a call was about to be made: until it is recorded, nobody knows how it went.
CREATE TABLE deployments (
    environment TEXT NOT NULL,
    namespace   TEXT NOT NULL,
    serial      INTEGER NOT NULL DEFAULT 0,
    token       INTEGER NOT NULL DEFAULT 0,
    holder      TEXT NOT NULL DEFAULT '',
    held_at     REAL NOT NULL DEFAULT 0,
    expires_at  REAL NOT NULL DEFAULT 0,
    PRIMARY KEY (environment, namespace)
) WITHOUT ROWID;
CREATE TABLE resources (
    environment TEXT NOT NULL,
    namespace   TEXT NOT NULL,
    address     TEXT NOT NULL,
    name        TEXT NOT NULL DEFAULT '',
    digest      TEXT NOT NULL DEFAULT '',
    depends     TEXT NOT NULL DEFAULT '[]',
    pending     INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (environment, namespace, address)
) WITHOUT ROWID;
