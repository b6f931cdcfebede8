"""The figures: `add_inputs` adds what a figure is drawn from to a command line, `draw` reads that and draws it.

Belongs here: one module for each of the figures. Not here: what several of them share.
"""
