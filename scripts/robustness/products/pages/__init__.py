"""The pages: `add_inputs` adds options for a page's files to a command line; `write` reads them and returns HTML.

Belongs here: one module for each page. Not here: what several pages share.
"""
