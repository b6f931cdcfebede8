"""Statistics without a subject: intervals, tests, seeds, censoring.

Belongs here: functions on numbers. Not here: files, models, and the names of measures.
"""
