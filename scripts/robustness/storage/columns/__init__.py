"""The columns of each kind of records: their names, types, units and meaning; a program builds its records from these.

Belongs here: a module for each kind of records, so that a new measure, say, attacks nothing again.
Not here: what computes a column, or reads and writes files.
"""
