"""Diagrams of the networks, drawn from what was traced on them: whole architectures, and the residual block."""
