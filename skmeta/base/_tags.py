"""What a meta-learner says of itself, beside scikit-learn's tags."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

from sklearn.utils import Tags


@dataclass(slots=True)
class TaskTags:
    """Tags for the tasks that a meta-learner takes.

    Parameters
    ----------
    different_widths : bool, default=False
        Whether tasks may have different numbers of features.
    new_classes : bool, default=False
        Whether a new task may have classes that no training task had, even where classes mean the
        same in all tasks.
    own_classes : bool, default=True
        Whether the classes of a task may be its own, as in n-way tasks. If not, `fit` refuses
        tasks that do not share their target.
    """

    different_widths: bool = False
    new_classes: bool = False
    own_classes: bool = True


@dataclass(slots=True)
class MetaLearnerTags(Tags):
    """scikit-learn's tags, and those for tasks.

    Parameters
    ----------
    task_tags : TaskTags
        What tasks the learner takes.
    """

    task_tags: TaskTags = field(default_factory=TaskTags)

    @classmethod
    def extend(cls, tags: Tags) -> MetaLearnerTags:
        """Add default task tags to scikit-learn's."""
        return cls(**{f.name: getattr(tags, f.name) for f in fields(tags)})
