"""The sentences that a study tests, the evidence for each, and the verdict.

Belongs here: claims, their kinds of comparison, and what becomes of them for other settings. Not here: tests and
intervals (`stats`), and the pages that show the verdicts (`pages`).
"""
