"""Meta-features: what a dataset looks like, as a short vector."""
