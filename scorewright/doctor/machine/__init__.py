"""The checks of this machine."""
