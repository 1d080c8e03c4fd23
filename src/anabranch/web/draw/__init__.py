"""Pictures as SVG: no script, no style of their own, and a word beside every colour. Pure."""
