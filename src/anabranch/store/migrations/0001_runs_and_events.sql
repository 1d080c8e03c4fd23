-- A run is its events. The row in `runs` only finds it and says who drives it. (No semicolon in comments: statements are split at them.)
CREATE TABLE definitions (
    digest TEXT PRIMARY KEY,
    body   TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE runs (
    position   INTEGER PRIMARY KEY AUTOINCREMENT,
    id         TEXT NOT NULL UNIQUE,
    pipeline   TEXT NOT NULL,
    namespace  TEXT NOT NULL,
    definition TEXT NOT NULL REFERENCES definitions (digest),
    host       TEXT NOT NULL,
    beat_at    REAL NOT NULL,
    cancel     INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX runs_by_pipeline ON runs (pipeline, namespace, position);

CREATE TABLE events (
    run  TEXT NOT NULL,
    seq  INTEGER NOT NULL,
    at   REAL NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (run, seq)
) WITHOUT ROWID;
