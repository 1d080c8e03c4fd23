"""Processes: how ports, params and secrets reach them, and how they are run. Shared by shell, Spark and dbt steps."""
