"""Statistics without a subject: intervals, tests, seeds, censoring. No file, no model."""
