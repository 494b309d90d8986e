"""Whether intervals hold as many rows of new tasks as they say."""

import numpy as np

from skmeta import split_support_query


def check_coverage(meta, tasks, n_support):
    """Adapt to some rows of each task, and count the others between predicted quantiles."""
    support, query = split_support_query(tasks, n_support)
    models = meta.fit_adapt_many(support)
    for level in (0.5, 0.8, 0.95):
        tails = [(1 - level) / 2, (1 + level) / 2]
        inside = [
            np.mean((low <= q.y) & (q.y <= high))
            for model, q in zip(models, query, strict=True)
            for low, high in [model.predict_quantiles(q.X, tails).T]
        ]
        assert abs(np.mean(inside) - level) < 0.04
