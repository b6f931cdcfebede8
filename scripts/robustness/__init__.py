"""The library behind the workflow's scripts: one subject per module, nothing happens at import."""
