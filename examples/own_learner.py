"""A meta-learner of your own in one file: pooled ridge regression with a random intercept.

It learns one line for all tasks and how much tasks differ in level; a new task shifts the line by
the mean of its residuals, shrunken towards zero the more, the fewer its rows.
"""

import numpy as np
from sklearn.linear_model import Ridge

from skmeta import BaseMetaLearner, MetaRegressorMixin


class RandomInterceptRegressor(MetaRegressorMixin, BaseMetaLearner):
    """Pooled ridge regression, and an intercept for each task."""

    def __init__(self, *, alpha=1.0, preprocessor="auto"):
        self.alpha = alpha
        self.preprocessor = preprocessor

    def _fit_tasks(self, tasks):
        """Learn what tasks share. Rows are numbers by now, whatever the table held."""
        self.pooled_ = Ridge(alpha=self.alpha).fit(tasks.X, tasks.y)
        residual = tasks.y - self.pooled_.predict(tasks.X)
        level = np.bincount(tasks.row_task, residual) / tasks.sizes
        noise = np.mean((residual - level[tasks.row_task]) ** 2)
        # One task tells nothing of how tasks differ: then an intercept is not trusted at all.
        spread = max(np.var(level) - noise / tasks.sizes.mean(), 1e-12)
        self.pseudo_rows_ = noise / spread

    def _adapt(self, X, y):
        """Learn what is special about one task; zero rows stand for the prior."""
        residual = y - self.pooled_.predict(X) if len(y) else y
        self.intercept_ = residual.sum() / (len(y) + self.pseudo_rows_ + 1e-12)

    def predict(self, X):
        """Predict the target of query rows."""
        X = self._validate_query(X)
        return self.pooled_.predict(X) + self.intercept_


if __name__ == "__main__":
    from skmeta.datasets import make_linear_tasks
    from skmeta.testing import check_meta_learner

    check_meta_learner(RandomInterceptRegressor())
    tasks = make_linear_tasks(n_tasks=50, random_state=0)
    meta = RandomInterceptRegressor().fit(tasks[:40])
    print("It keeps every promise. R² on new tasks:", round(meta.score(tasks[40:]), 2))
