"""Whether what an attack found is a property of the model: the trust checks and their table.

Belongs here: what a check asks, the evidence that it looks at, its limit, and its answer. Not here: the page that shows
them (`pages`).
"""
