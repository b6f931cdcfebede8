"""The figures, tables and pages of the study: a module for each, with the files that it is made from.

Belongs here: the options of a command line, and a function that reads the files they name. Not here: drawing and
computing. `scripts/plot.py`, `write_table.py` and `write_page.py` import a module by its name, so that an edit in it
repeats that one figure, table or page.
"""
