"""How datasets are stored: one file for each kind of format."""
