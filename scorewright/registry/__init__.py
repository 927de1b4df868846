"""Models by name and version: registered once, never changed, fetched by anybody."""
