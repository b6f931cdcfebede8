"""The device: which one, how fast, compiled kernels, and random numbers that are the same on every device."""
