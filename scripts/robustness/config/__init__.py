"""The configuration: what it may say, and what an entry of it means. Knows no rule and no path of a result."""
