"""The nouns: frozen dataclasses, errors and pure graph walks. Standard library only."""
