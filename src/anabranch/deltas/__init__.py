"""Comparison of two tables, written once as Ibis expressions and run by the engine that holds the data."""
