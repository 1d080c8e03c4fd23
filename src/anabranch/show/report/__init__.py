"""A branch's deltas, shown: in a pull request, and as one page that needs nothing else."""
