"""What the study consists of: a module for each figure, table and page, with the files that it is made from.

Such a module has the options of a command line, and a function that reads what they name and has the figure, table or
page made; it draws and computes nothing itself. `scripts/plot.py`, `tabulate.py` and `write_page.py` import it by
its name, so that an edit in it repeats that one figure, table or page.
"""
