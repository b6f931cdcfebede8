"""The tables: `INPUTS` says what a table is made from, by the names of options; `tabulate` reads them and returns CSV.

Belongs here: one module for each table. Not here: what several tables share.
"""
