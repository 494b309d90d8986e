"""Gaussian processes of classes whose embedding and prior are anything but simple."""

import torch

from skmeta.nets import MLP


def learned(process_type, kernel="rbf", n_outputs=3):
    """A process of two features with all that is learned somewhere off its start."""
    embedding = MLP(2, 4, hidden_sizes=(6,), activation="tanh")
    process = process_type(embedding, 4, n_outputs, kernel).double()
    with torch.no_grad():
        for name, param in process.named_parameters():
            if not name.startswith("embedding"):
                param.add_(0.3 * torch.randn_like(param))
    return process
