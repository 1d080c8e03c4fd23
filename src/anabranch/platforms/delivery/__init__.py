"""How messages leave this machine: one POST after the other, or whole lines at the end of a file."""

UNREACHABLE, REFUSED = "export-unreachable", "export-refused"
"""Codes of what goes wrong: the first may pass by itself, the second will not."""
