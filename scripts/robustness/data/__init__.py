"""Images and labels: downloads, readers of the kinds of source, splits. No network."""
