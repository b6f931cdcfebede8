"""The figures, tables and pages of the study: one module for each, which reads the files that it is made from.

Belongs here: the options of a command line, and a function that reads the files that they name. Not here: drawing and
computing. `scripts/plot.py`, `write_table.py` and `write_page.py` import a module by its name, so that an edit in a
module repeats only its own figure, table or page.
"""
