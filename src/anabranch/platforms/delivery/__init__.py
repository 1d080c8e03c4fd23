"""How messages leave this machine: one POST, or whole lines at the end of a file."""
