"""The checks of an image."""
