"""Search for hyperparameters that learns from every search before it."""
