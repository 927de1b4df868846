"""How each protocol's requests are read and its answers written: pure functions, no input or output."""
