"""The tables: `add_inputs` adds what a table is made from to a command line, `tabulate` reads that and returns CSV.

Belongs here: one module for each of the tables. Not here: what several of them share.
"""
