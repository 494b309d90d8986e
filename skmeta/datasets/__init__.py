"""Collections of tasks to try things on."""

from skmeta.datasets._generators import make_linear_tasks, make_sinusoid_tasks
from skmeta.datasets._movielens import fetch_movielens
from skmeta.datasets._omniglot import fetch_omniglot
from skmeta.datasets._prior_tables import make_prior_tables

__all__ = [
    "fetch_movielens",
    "fetch_omniglot",
    "make_linear_tasks",
    "make_prior_tables",
    "make_sinusoid_tasks",
]
