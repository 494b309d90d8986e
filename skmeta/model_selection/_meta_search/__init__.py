"""A scikit-learn search whose trials are proposed by an Optuna study."""
