"""Branches, as pure decisions: which steps, which rows, which names, and what must be refused."""
