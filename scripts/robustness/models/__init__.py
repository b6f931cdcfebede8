"""Networks: the architectures of the study, those of users, and their weights. No training and no attack."""
