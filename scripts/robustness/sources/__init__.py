"""Readers of the kinds of source that images come from; `reading.read` chooses the one that a source names."""
