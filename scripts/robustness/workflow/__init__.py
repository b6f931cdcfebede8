"""What rules ask: what the study consists of, which files a job reads, and which settings shape its result.

Pure functions of a checked configuration; what Snakemake alone knows comes as an argument. No program imports this
package, so that an edit in it reruns only the jobs whose inputs or params it changes.
"""
