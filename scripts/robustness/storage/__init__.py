"""Files of results: how they are written, read and versioned, and where they came from.

Belongs here: formats, and the digests of code and content by which a result is known. Not here: what the values mean.
"""
