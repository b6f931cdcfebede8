"""Whatever looks for a perturbation: gradients, rewards, criteria, steps, the pool of images, attacks of adv-lib.

Belongs here: what chooses the next image or decides that one is done. Not here: what is measured on the result
(`analysis`), and how a network is prepared for it (`models.frozen`).
"""
