"""What records of attacks and predictions say: measures, tables, judges, transfer, comparisons.

Reads records and networks; attacks nothing.
"""
