"""OpenLineage: a run as the events of its specification, to a file or to a catalogue's API."""
