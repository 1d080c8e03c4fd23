"""Pictures of a pipeline.

picture   nodes and edges of what is drawn; large pipelines are folded into groups
layout    layers, order within them, coordinates; knows nothing of pipelines
mermaid · svg    two ways to write a picture down
"""
