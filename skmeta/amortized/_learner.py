"""What learners that predict from a support in one pass have in common."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor

from skmeta.amortized._episodes import VariedEpisodes
from skmeta.episodic import (
    GaussianRegressorMixin,
    NeuralMetaClassifierMixin,
    NeuralMetaLearner,
    parameters,
)
from skmeta.nets import NumberCode, OwnClassCode, SharedClassCode
from skmeta.tasks import TaskCollection


@parameters
class AmortizedLearner(NeuralMetaLearner):
    """Base class of learners that are trained to predict from supports of all sizes."""

    lr: float = 3e-3

    _shared_docs: ClassVar[dict] = {
        "sizes": """
            The number of rows in a support of training is drawn anew in each epoch, up to
            `n_support`, from zero where tasks share their target and from one otherwise: the
            network has to have seen supports of all sizes that it is to adapt to.""",
    }

    def _make_dataset(self, tasks: TaskCollection) -> Any:
        n_support, n_query = self._episode_sizes(tasks)
        return VariedEpisodes(
            tasks.with_storage(y=self._scale_target(tasks.storage[1])),
            n_support,
            n_query,
            # Where there is a prior prediction, it is trained like any other.
            lowest=0 if self.shared_target_ else 1,
            n_slots=self._n_slots,
            stratify=self._stratify,
            class_weight=self._weights_of_classes(),
            seed=self._seed,
        )

    def _make_code(self, n_outputs: int) -> NumberCode:
        """How the network is told the targets."""
        raise NotImplementedError


class AmortizedClassifierMixin(NeuralMetaClassifierMixin):
    """Classes that tasks share, or any number of the task's own."""

    def _make_code(self, n_outputs: int) -> NumberCode:
        return SharedClassCode(n_outputs) if self.shared_target_ else OwnClassCode()

    def _class_mask(self) -> Tensor | None:
        return None  # as many as the support has


class AmortizedRegressorMixin(GaussianRegressorMixin):
    """Targets that are numbers, predicted with their variance."""

    def _make_code(self, n_outputs: int) -> NumberCode:
        return NumberCode(n_outputs)
