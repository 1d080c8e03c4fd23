"""The local runner, and the loop that runs a step anywhere."""
