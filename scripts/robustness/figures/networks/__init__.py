"""Diagrams of the networks, drawn from what was traced on them: whole architectures, and the residual block.

Belongs here: what turns operations into boxes, and draws these. Not here: the tracing (`models.describe`).
"""
