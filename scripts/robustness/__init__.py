"""The library behind the workflow's scripts: one subject per module, nothing happens at import.

Belongs here: packages, each for one subject; docs/packages.svg shows which imports which. Not here: modules, but for
the few that all packages may import.
"""
