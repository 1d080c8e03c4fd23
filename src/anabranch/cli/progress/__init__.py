"""What a person, or a program, sees of a run while it happens and when it has ended.

words     one event as one line (pure)
lines     a line for each step that ends, for logs and pipes
live      the same on a terminal, with what runs just now below
ndjson    a JSON object for each event
summary   what is said at the end (pure)
"""
