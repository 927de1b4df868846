"""The HTTP service: a front that never runs model code, and scorers that do nothing else."""
