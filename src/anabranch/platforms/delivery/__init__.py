"""How messages leave this machine: one POST after the other, or whole lines at the end of a file."""
