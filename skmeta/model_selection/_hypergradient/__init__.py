"""Hyperparameters of networks by gradients through their training."""
