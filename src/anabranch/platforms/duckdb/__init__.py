"""SQL steps, on DuckDB."""
