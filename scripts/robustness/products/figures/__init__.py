"""The figures: `INPUTS` says what a figure is made from, by the names of options; `draw` reads them and draws.

Belongs here: one module for each figure. Not here: what several figures share.
"""
