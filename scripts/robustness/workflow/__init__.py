"""What rules ask: what the study consists of, which files a job reads, and which settings shape its result.

Belongs here: pure functions of a checked configuration; what Snakemake alone knows comes as an argument.
Not here: anything that a program imports, so that an edit repeats only the jobs whose inputs or params it
changes.
"""
