"""Collections of tasks to try things on."""

from skmeta.datasets._generators import make_linear_tasks, make_sinusoid_tasks

__all__ = ["make_linear_tasks", "make_sinusoid_tasks"]
