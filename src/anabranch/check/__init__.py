"""Pure rules over pipelines: what is wrong, before anything runs."""
