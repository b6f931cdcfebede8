"""Images and labels: downloads, readers of the kinds of source, splits.

Belongs here: what brings images into one format, a module for each format. Not here: augmentation (`training`), and
anything that needs a network.
"""
