"""In-context learners: a transformer over tables of any width."""

from __future__ import annotations

from copy import deepcopy
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.base import is_classifier
from sklearn.utils import gen_batches
from sklearn.utils._param_validation import Interval, StrOptions
from torch import Tensor

from skmeta.amortized._episodes import VariedEpisodes
from skmeta.amortized._learner import AmortizedLearner
from skmeta.amortized._own_columns import OwnColumnsMixin
from skmeta.amortized._table_episodes import BothEpisodes, TableEpisodes
from skmeta.episodic import (
    GaussianRegressorMixin,
    NeuralMetaClassifierMixin,
    parameters,
)
from skmeta.episodic._dataset import rows_to_tensor
from skmeta.nets import InContextNet, TableTransformer
from skmeta.tasks import TaskCollection

_QUERIES_AT_ONCE = 256  # bounds memory


@parameters
class _InContextLearner(OwnColumnsMixin, AmortizedLearner):
    """What the regressor and the classifier have in common."""

    prior: str = "tasks"
    n_tables: int = 1000
    max_epochs: int = 30  # an epoch takes long, and most is learned early

    _parameter_constraints: ClassVar[dict] = {
        "prior": [StrOptions({"tasks", "tables", "both"})],
        "n_tables": [Interval(Integral, 1, None, closed="left")],
    }
    _shared_docs: ClassVar[dict] = {
        "in_context": """
            module : "auto", callable or TableTransformer, default="auto"
                The transformer. "auto" is :class:`skmeta.nets.TableTransformer` with two layers of
                32 units; a callable, such as `functools.partial(TableTransformer, n_layers=4)`, is
                called without arguments; a module is copied and trained from its weights.
            prior : {"tasks", "tables", "both"}, default="tasks"
                What the network is trained on: the given tasks; synthetic tables
                (:func:`skmeta.datasets.make_prior_tables`) of 3 to 20 features and 2 to 6 classes,
                while the given tasks only say what targets look like; or both.
            n_tables : int, default=1000
                Synthetic tables of an epoch, which are new in each.""",
        "sizes": """
            The number of rows in a support of training varies up to `n_support`: the network has to
            have seen supports of all sizes that it is to adapt to.

            Tasks may differ in their columns. Then each task, and each new one, has a preprocessor
            of its own, fitted on its own rows (those of the support), and its target is its own;
            features are told apart by their values alone, and their order changes nothing. Where
            all tasks have the same columns and share their target, and `prior="tasks"`, features
            and classes get embeddings of their own, and there is a prior prediction. Adapting keeps
            the rows of the support, and prediction does all the work.""",
    }

    @property
    def _is_known(self) -> bool:
        """Whether features and targets are always the same ones."""
        return self.prior == "tasks" and self.shared_target_ and not self._own_columns

    def _make_learner(self, n_inputs: int, n_outputs: int) -> InContextNet:
        is_classification = is_classifier(self)
        return InContextNet(
            "classes" if is_classification else "numbers",
            self._make_transformer(),
            n_classes=n_outputs if is_classification and self._is_known else None,
            n_known_features=n_inputs if self._is_known else None,
            n_known_targets=n_outputs,
        )

    def _make_transformer(self) -> Any:
        if isinstance(self.module, str):
            return TableTransformer()
        return deepcopy(self.module) if isinstance(self.module, torch.nn.Module) else self.module()

    def _make_dataset(self, tasks: TaskCollection) -> Any:
        if self.prior == "tasks":
            return super()._make_dataset(tasks)
        n_support, n_query = self._episode_sizes(tasks)
        weights = self._weights_of_classes()
        if not (weights is None or isinstance(weights, str)):
            raise ValueError(
                f"class_weight must be 'balanced' or None with prior={self.prior!r}: classes of "
                "synthetic tables have no name."
            )
        tables = TableEpisodes(
            self.n_tables,
            n_support,
            n_query,
            is_classification=is_classifier(self),
            class_weight=weights,
            seed=self._seed,
        )
        if self.prior == "tables":
            return tables
        own = VariedEpisodes(
            tasks.with_storage(y=self._scale_target(tasks.storage[1])),
            n_support,
            n_query,
            lowest=1,
            n_slots=self._count_slots(),
            stratify=self._stratify,
            class_weight=weights,
            seed=self._seed,
        )
        return BothEpisodes(own, tables)

    def _count_slots(self) -> int | None:
        """Classes of a task at most; None for regression."""
        return None

    def _output(self, X: Any) -> np.ndarray:
        rows = rows_to_tensor(self._validate_query(X), self._dtype).to(self.device)
        state, parts = self.state_, []
        with torch.no_grad():
            for some in gen_batches(len(rows), _QUERIES_AT_ONCE):
                parts.append(self._learner(state, rows[None, some])[0].cpu().numpy())
        return np.concatenate(parts)


@parameters
class InContextRegressor(GaussianRegressorMixin, _InContextLearner):
    """Regressor by a transformer that reads the support and the query as one table.

    Cells attend along their column and along their row, in the manner of TabPFN v2 [1]_; training
    maximises the likelihood of query rows, given the normal distribution that is predicted for
    each. Tasks may have different numbers of features. Each output is predicted for itself. The
    network is told what ridge regressions and kernel smoothers say of each row, and learns what
    they miss.

    {{sizes}}

    Parameters
    ----------
    {{in_context}}
    {{normalize_y}}
    {{training}}

    Attributes
    ----------
    {{attributes}}
    {{y_scale_}}

    References
    ----------
    .. [1] Hollmann et al. (2025). Accurate predictions on small data with a tabular foundation
       model. Nature 637, 319-326.

    Examples
    --------
    >>> from skmeta import InContextRegressor
    >>> from skmeta.datasets import make_prior_tables
    >>> tables = make_prior_tables(50, n_classes=None, n_rows=40, random_state=0)
    >>> meta = InContextRegressor(max_epochs=1, random_state=0).fit(tables)
    >>> model = meta.fit_adapt([[0.0, 1.0], [1.0, 1.0], [2.0, 0.0]], [10.0, 20.0, 30.0])
    >>> mean, std = model.predict([[1.5, 0.5]], return_std=True)
    """


@parameters
class InContextClassifier(NeuralMetaClassifierMixin, _InContextLearner):
    """Classifier by a transformer that reads the support and the query as one table.

    Cells attend along their column and along their row, in the manner of TabPFN v2 [1]_. The table
    goes through the network once for each class, whose rows are marked, so that there may be any
    number of classes in any order. Tasks may have different numbers of features. The network is
    told what ridge regressions and kernel smoothers say of each row, and learns what they miss.

    {{sizes}}

    Parameters
    ----------
    {{in_context}}
    {{class_weight}}
    {{training}}

    Attributes
    ----------
    {{attributes}}
    {{classes_}}

    References
    ----------
    .. [1] Hollmann et al. (2025). Accurate predictions on small data with a tabular foundation
       model. Nature 637, 319-326.

    Examples
    --------
    >>> from skmeta import InContextClassifier
    >>> from skmeta.datasets import make_prior_tables
    >>> tables = make_prior_tables(n_tasks=50, n_rows=40, random_state=0)  # 3 to 20 features
    >>> meta = InContextClassifier(max_epochs=1, random_state=0).fit(tables)
    >>> model = meta.fit_adapt([[0.0, 1.0], [1.0, 1.0], [2.0, 0.0]], ["a", "b", "b"])
    >>> model.predict_proba([[0.0, 0.0]]).shape
    (1, 2)
    """

    def _class_mask(self) -> Tensor | None:
        # Classes that tasks share exist, be there a row of them or not.
        return torch.ones(1, len(self.classes_), dtype=torch.bool) if self.shared_target_ else None

    def _count_slots(self) -> int | None:
        return len(self.classes_) if self.shared_target_ else self._n_slots
