"""Engines that comparisons run on. DuckDB is the default; the others hold data that is beyond one machine."""
