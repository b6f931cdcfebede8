"""How a network is trained, clean or on augmented data, and taken up again after a stop."""
