"""Runs, told to other systems: while they happen, or later from their record."""
