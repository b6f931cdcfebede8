"""How a network is trained, clean or on augmented data, and resumed after a stop.

Belongs here: steps, schedules, augmentation and checkpoints of a training. Not here: architectures (`models`).
"""
