"""Pictures of a pipeline.

picture   nodes and edges of what is drawn; large pipelines are folded into groups (pure)
layout    layers, order within them, coordinates (pure; knows nothing of pipelines)
text · mermaid · svg    the three ways to write a picture down (pure)
"""
