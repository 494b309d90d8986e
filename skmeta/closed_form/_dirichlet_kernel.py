"""Gaussian process classifiers over a learned embedding, by one of two approximations."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

from sklearn.utils._param_validation import Interval, StrOptions
from torch import nn

from skmeta.closed_form._rates import with_quick_scales
from skmeta.episodic import EmbeddingMetaLearner, OpenClassesMixin, StreamingMixin, parameters
from skmeta.nets import DirichletKernel, LaplaceKernel


@parameters
class DeepKernelClassifier(OpenClassesMixin, StreamingMixin, EmbeddingMetaLearner):
    """Classifier by Gaussian processes over a learned embedding.

    Each class of a task has a Gaussian process, whose uncertainty enters the probabilities: far
    from the support of a task, its classes are about as probable as before. The embedding and the
    kernel are trained such that the query of a task is probable given its support (as in deep
    kernel transfer [2]_). A new task may have any number of classes, also ones that no training
    task had.

    Labels are not normal, and there are two approximations. By default they are turned into noisy
    observations of the processes, such that probabilities have a Dirichlet distribution [1]_;
    regression on these is exact, and absorbs further rows at little cost. Laplace's approximation
    [3]_ keeps the labels and takes the posterior for a normal distribution around its mode, which
    has to be found anew with each further row.

    The cost of adaptation grows with the cube of the number of support rows: some hundreds are
    fine.

    Parameters
    ----------
    {{embedding}}
    kernel : {"rbf", "cosine", "linear", "spectral_mixture"}, default="rbf"
        Kernel of two embeddings divided by their length scales: `exp(-|x - y|² / 2)`, the cosine of
        their angle, 1 + x·y, or a learned mixture of four waves.
    length_scale : float or None, default=None
        Length scale of each feature of the embedding; where training starts from if `learn_prior`.
        None takes the square root of their number, of which order distances are.
    approximation : {"dirichlet", "laplace"}, default="dirichlet"
        How the likelihood of labels is approximated.
    alpha_epsilon : float, default=0.01
        For "dirichlet" alone: what is added to the labels 0 and 1; where training starts from if
        `learn_prior`. The smaller, the surer is a label.
    learn_prior : bool, default=True
        Whether to learn the kernel, `alpha_epsilon` and the means of the processes. Where classes
        mean the same in all tasks, these are linear in the embedding: the prediction before any
        support. Otherwise the amplitude of the kernel is 10 ("dirichlet") or 4 ("laplace").
    {{class_weight}}
    {{training}}

    Attributes
    ----------
    {{attributes}}
    {{classes_}}

    References
    ----------
    .. [1] Milios, Camoriano, Michiardi, Rosasco & Filippone (2018). Dirichlet-based Gaussian
       processes for large-scale calibrated classification. NeurIPS. Equations 4 and 5.
    .. [2] Patacchiola, Turner, Crowley, O'Boyle & Storkey (2020). Bayesian meta-learning for the
       few-shot setting via deep kernels. NeurIPS.
    .. [3] Rasmussen & Williams (2006). Gaussian processes for machine learning. MIT Press.
       Sections 3.4 and 3.5.

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from skmeta import DeepKernelClassifier, make_n_way_tasks
    >>> X, y = make_blobs(600, n_features=8, centers=30, random_state=0)
    >>> train = make_n_way_tasks(
    ...     X[y < 26], y[y < 26], n_way=3, n_query=5, n_tasks=100, random_state=0
    ... )
    >>> meta = DeepKernelClassifier(max_epochs=2, random_state=0).fit(train)
    >>> X_new, y_new = X[y > 25], y[y > 25]  # four classes that no training task had
    >>> model = meta.fit_adapt(X_new[:20], y_new[:20])
    >>> model.score(X_new[20:], y_new[20:]) > 0.9
    True

    Further rows are absorbed without the earlier ones:

    >>> model.partial_adapt(X_new[20:30], y_new[20:30]).n_support_
    30
    """

    kernel: str = "rbf"
    length_scale: float | None = None
    approximation: str = "dirichlet"
    alpha_epsilon: float = 0.01
    learn_prior: bool = True

    _parameter_constraints: ClassVar[dict] = {
        "kernel": [StrOptions({"rbf", "cosine", "linear", "spectral_mixture"})],
        "length_scale": [Interval(Real, 0, None, closed="neither"), None],
        "approximation": [StrOptions({"dirichlet", "laplace"})],
        "alpha_epsilon": [Interval(Real, 0, None, closed="neither")],
        "learn_prior": ["boolean"],
    }

    def _optimizer_options(self) -> dict[str, Any]:
        return with_quick_scales(super()._optimizer_options(), self.optimizer, self.lr)

    def _make_on_embedding(
        self, embedding: nn.Module, n_features: int, n_outputs: int
    ) -> DirichletKernel | LaplaceKernel:
        options: dict[str, Any] = {
            "kernel": self.kernel,
            "length_scale": self.length_scale,
            "learn_prior": self.learn_prior,
        }
        if self.approximation == "laplace":
            return LaplaceKernel(embedding, n_features, n_outputs, **options)
        return DirichletKernel(
            embedding, n_features, n_outputs, alpha_epsilon=self.alpha_epsilon, **options
        )
