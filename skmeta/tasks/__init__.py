"""Tasks: many small tables, stored flat, drawn into support and query sets."""

from skmeta.tasks._collection import TaskCollection
from skmeta.tasks._n_way import NWayTasks, make_n_way_tasks
from skmeta.tasks._split import SupportQueryDraw, split_support_query
from skmeta.tasks._task import Task

__all__ = [
    "NWayTasks",
    "SupportQueryDraw",
    "Task",
    "TaskCollection",
    "make_n_way_tasks",
    "split_support_query",
]
