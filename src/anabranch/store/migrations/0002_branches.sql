-- A branch is its record, as JSON. `serial` counts its changes, so that nobody writes over what he has not seen.
CREATE TABLE branches (
    name   TEXT PRIMARY KEY,
    serial INTEGER NOT NULL,
    body   TEXT NOT NULL
) WITHOUT ROWID;
