"""The figures of the study, drawn from tables and arrays.

Belongs here: a module for each kind of figure, and `style`, which all share. Not here: numbers that are not in a table
yet (`analysis`), files, and anything that needs torch.
"""
