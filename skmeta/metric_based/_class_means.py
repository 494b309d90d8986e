"""What classifiers that compare rows with the mean of each class have in common."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.utils import gen_batches
from sklearn.utils._param_validation import StrOptions

from skmeta.episodic import EmbeddingMetaLearner, OpenClassesMixin, StreamingMixin, parameters
from skmeta.episodic._dataset import rows_to_tensor
from skmeta.nets import ClassMeanLearner, forward_shared
from skmeta.tasks import TaskCollection

_ROWS_AT_ONCE = 2**14


@parameters
class _ClassMeanClassifier(OpenClassesMixin, StreamingMixin, EmbeddingMetaLearner):
    """Base class of classifiers by class means: what is known of a class before any row."""

    priors: str = "learned"

    _parameter_constraints: ClassVar[dict] = {
        "priors": [StrOptions({"learned", "uniform"})],
    }
    _shared_docs: ClassVar[dict] = {
        "priors": """
            priors : {"learned", "uniform"}, default="learned"
                Where classes mean the same in all tasks: "learned" takes into account how frequent
                they are in the training tasks and in the support, "uniform" takes all for equally
                frequent.""",
    }

    def _learn_target(self, tasks: TaskCollection) -> int:
        n_outputs = super()._learn_target(tasks)
        self._class_rows = np.zeros(n_outputs, dtype=np.int64)
        return n_outputs

    def _prior_options(self, n_features: int, n_outputs: int) -> dict[str, Any]:
        """Options of the module: no class has a prior prototype yet."""
        return {
            "prior_prototypes": torch.full((n_outputs, n_features), torch.nan),
            "learn_prior": True,
            "learn_shares": self.priors == "learned",
        }

    def _train(self, tasks: TaskCollection, fingerprint: str | None) -> None:
        # What is learned starts from the training rows; what is not follows them.
        if self._learner.learn_prior:
            self._learn_prior(tasks)
            super()._train(tasks, fingerprint)
        else:
            super()._train(tasks, fingerprint)
            self._learn_prior(tasks)

    def _learn_prior(self, tasks: TaskCollection) -> None:
        """Prior prototypes as means of the embedded training rows, shares as their frequencies.

        Those that are learned are set for classes that had no row before.
        """
        learner, counts = self._learner, self._class_rows
        if not len(counts):
            return
        means, new_counts = self._class_means(tasks)
        self._class_rows = total = counts + new_counts
        with torch.no_grad():
            prior = learner.prior_prototypes
            if learner.learn_prior:
                keeps = counts > 0
            else:
                share = torch.from_numpy(new_counts / np.maximum(total, 1)).to(prior)
                means, keeps = prior + share[:, None] * (means - prior), new_counts == 0
            is_kept = torch.from_numpy(keeps).to(prior.device)[:, None]
            prior.copy_(torch.where(is_kept, prior, means))
            learner.has_prior.copy_(torch.from_numpy(total > 0))
            if learner.learn_shares and not counts.any() and self.class_weight is None:
                learner.log_share.copy_(torch.from_numpy(np.log(total + 1.0)))

    def _class_means(self, tasks: TaskCollection) -> tuple[torch.Tensor, np.ndarray]:
        """Mean of each class's embedded rows (zero if there is none), and their numbers."""
        learner: ClassMeanLearner = self._learner.eval()
        like = learner.prior_prototypes
        X, y = tasks.storage
        sums = torch.zeros_like(like)
        with torch.no_grad():
            for part in gen_batches(len(y), _ROWS_AT_ONCE):
                rows = rows_to_tensor(X[part], like.dtype)[None].to(like.device)
                codes = torch.from_numpy(y[part]).to(like.device)
                sums.index_add_(0, codes, forward_shared(learner.embedding, rows)[0])
        counts = np.bincount(y, minlength=len(like))
        return sums / torch.from_numpy(np.maximum(counts, 1)).to(like)[:, None], counts
