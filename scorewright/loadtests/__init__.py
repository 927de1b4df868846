"""Load tests of a scoring endpoint."""
