"""What regressors with a Gaussian predictive distribution have in common."""

from __future__ import annotations

from typing import Any, ClassVar

from sklearn.utils._param_validation import StrOptions
from torch import nn

from skmeta.episodic import (
    EmbeddingMetaLearner,
    GaussianRegressorMixin,
    StreamingMixin,
    parameters,
)
from skmeta.nets import Episode, MarginalEpisode, gaussian_nll, joint_gaussian_nll
from skmeta.tasks import TaskCollection


@parameters
class _GaussianRegressor(GaussianRegressorMixin, StreamingMixin, EmbeddingMetaLearner):
    """Base class of regressors whose module predicts a mean and a variance."""

    objective: str = "marginal"

    _parameter_constraints: ClassVar[dict] = {
        "objective": [StrOptions({"marginal", "predictive"})],
    }

    @property
    def _row_loss(self) -> Any:  # type: ignore[override]
        return joint_gaussian_nll if self.objective == "marginal" else gaussian_nll

    def _make_episode(self, learner: Any) -> nn.Module:
        return MarginalEpisode(learner) if self.objective == "marginal" else Episode(learner)

    def _episode_sizes(self, tasks: TaskCollection) -> tuple[int, int]:
        """The marginal likelihood is that of all rows of an episode, given none."""
        n_support, n_query = super()._episode_sizes(tasks)
        return (0, n_support + n_query) if self.objective == "marginal" else (n_support, n_query)
