"""The checks of a bundle."""
