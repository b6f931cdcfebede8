"""The pages: `INPUTS` says what a page is made from, by the names of options; `write` reads them and returns HTML.

Belongs here: one module for each page. Not here: what several pages share.
"""
