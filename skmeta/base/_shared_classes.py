"""Classifiers that need classes which mean the same in all tasks."""

from __future__ import annotations

from typing import ClassVar

from skmeta.base._mixins import MetaClassifierMixin


class SharedClassesMixin(MetaClassifierMixin):
    """Refuses tasks with classes of their own; goes left of :class:`BaseMetaLearner`.

    A subclass says what it learns of each class, for the message of the error, and how many classes
    it needs at least.
    """

    _learns: ClassVar[str]
    _least_classes: ClassVar[int] = 2

    _shared_docs: ClassVar[dict] = {
        "classes_": """
            classes_ : ndarray of shape (n_classes,)
                Classes of the training tasks.""",
        "shared_target_": """
            shared_target_ : bool
                Whether the target means the same in all tasks, which it must.""",
    }

    def _encode_target(self, y, *, reset, classes=None):
        if not self.shared_target_:
            raise ValueError(
                f"{type(self).__name__} learns {self._learns}, so classes must mean the same in "
                "all tasks; got tasks with classes of their own (shared_target=False)."
            )
        codes = super()._encode_target(y, reset=reset, classes=classes)
        if len(self.classes_) < self._least_classes:
            raise ValueError(
                "Training tasks must have at least two classes, got only one class: "
                f"{self.classes_.item()!r}."
            )
        return codes

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.task_tags.own_classes = False
        return tags
