"""Steps that are Python functions."""
