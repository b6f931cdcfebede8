"""Everything that looks for a perturbation: gradients, criteria, steps, the pool of images, and attacks of adv-lib."""
