"""Networks: the architectures of the study, the architectures of users, and their weights.

Belongs here: how a network is built, checked, described, saved and frozen. Not here: training and attacks.
"""
