"""The sentences that a study tests, the evidence for each, and the verdict."""
