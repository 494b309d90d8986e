"""Collections of tasks to try things on."""

from skmeta.datasets._generators import make_linear_tasks, make_sinusoid_tasks
from skmeta.datasets._prior_tables import make_prior_tables

__all__ = ["make_linear_tasks", "make_prior_tables", "make_sinusoid_tasks"]
