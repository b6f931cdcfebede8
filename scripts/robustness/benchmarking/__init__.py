"""How long things take: the attack compared with other ways to run it, and the jobs of a run.

Belongs here: code that measures or reads times. Not here: what a job notes about itself (`runtime.usage`).
"""
