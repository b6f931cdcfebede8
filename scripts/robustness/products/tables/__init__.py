"""The tables: `add_inputs` adds options for a table's files to a command line; `tabulate` reads them and returns CSV.

Belongs here: one module for each table. Not here: what several tables share.
"""
