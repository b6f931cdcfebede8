"""Files of results: how they are written, read and versioned, and where they came from."""
