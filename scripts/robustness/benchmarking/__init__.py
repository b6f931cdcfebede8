"""How long things take: the attack against other ways to run it, and the jobs of a run.

Belongs here: what takes or reads times. Not here: what a job notes about itself (`runtime.usage`).
"""
