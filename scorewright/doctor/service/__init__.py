"""The checks of a running service."""
