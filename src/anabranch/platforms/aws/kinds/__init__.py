"""One file for each kind of resource: how it is read, made, changed and deleted."""
