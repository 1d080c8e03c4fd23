"""Run events in SQLite, code snapshots, locks."""
