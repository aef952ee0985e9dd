"""The pipelines: thin nodes over the domain, wired by name."""
