"""The device: which one, how fast, compiled kernels, and random numbers that are the same on every device.

Belongs here: what knows of GPUs, threads and random states. Not here: networks and images.
"""
