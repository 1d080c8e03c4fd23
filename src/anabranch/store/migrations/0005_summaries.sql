-- What pages of many runs show of those that have ended, so that nobody has to fold their events again. Events stay the
-- truth: a row here may be missing, and is written anew when somebody asks. `head` and `steps` are JSON.
CREATE TABLE summaries (
    position   INTEGER PRIMARY KEY REFERENCES runs (position),
    state      TEXT NOT NULL,
    started_at REAL NOT NULL,
    ended_at   REAL,
    seconds    REAL NOT NULL,
    head       TEXT NOT NULL,
    steps      TEXT NOT NULL
);
CREATE TABLE writes (
    dataset  TEXT NOT NULL,
    position INTEGER NOT NULL REFERENCES runs (position),
    step     TEXT NOT NULL,
    at       REAL NOT NULL,
    rows     INTEGER,
    bytes    INTEGER,
    version  TEXT NOT NULL,
    PRIMARY KEY (dataset, position, step)
) WITHOUT ROWID;
CREATE INDEX writes_by_run ON writes (position);
