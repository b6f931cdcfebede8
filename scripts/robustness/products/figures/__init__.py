"""The figures: `add_inputs` adds options for a figure's files to a command line; `draw` reads them and draws.

Belongs here: one module for each figure. Not here: what several figures share.
"""
