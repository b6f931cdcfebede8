"""The tables: `add_inputs` adds what a table is made from to a command line, `tabulate` reads that and returns CSV."""
