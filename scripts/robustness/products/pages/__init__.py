"""The pages: `add_inputs` adds what a page shows to a command line, `write` reads that and returns HTML.

Belongs here: one module for each of the pages. Not here: what several of them share.
"""
