"""The columns of each kind of records: their names, types, units and meaning. A module for each kind.

A program builds its records from a declaration here. Kinds that are written by different programs are declared in
different modules, so that a new measure, say, attacks nothing again.
"""
