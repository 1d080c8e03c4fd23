"""How a pipeline is written down: Python, YAML or JSON specs, and the project file."""
