"""The configuration: what it may say, and what an entry of it means.

Belongs here: checks of a configuration, each with a sentence for the user. Not here: rules, and paths of results.
"""
