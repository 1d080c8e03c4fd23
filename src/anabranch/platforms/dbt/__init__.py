"""dbt projects, by the dbt command."""
