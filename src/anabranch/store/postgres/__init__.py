"""What several machines share, in PostgreSQL: a schema of its own, called `anabranch`."""
