"""How long things take: the attack against other ways to run it, and the jobs of a run."""
