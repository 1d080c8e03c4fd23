"""How things look, whoever shows them. Pure: from values of the model to text.

human · text       numbers as people read them; text that may hold anything, on one line
shapes             the objects that `--json` and the JSON API write, all of them
graph/             pictures of a pipeline: nodes and edges, layout, SVG, Mermaid
report/            a branch's deltas: in words, as Markdown, as one page
"""
