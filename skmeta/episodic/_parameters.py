"""Declaring and documenting a learner's parameters once, not once for each class that has them.

scikit-learn wants every parameter in the signature of `__init__`, and `__init__` to do nothing but
store them: that is what a dataclass writes. Neural learners share twenty parameters, so they
declare them as dataclass fields, and inherit.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from inspect import cleandoc
from typing import TypeVar, dataclass_transform

T = TypeVar("T")

_PARAMETERS = {
    "module": """
        module : "auto", callable or torch module, default="auto"
            The network. "auto" is a multi-layer perceptron with two hidden layers of 40 units; a
            callable (a class, or `functools.partial` of one) is called with the numbers of inputs
            and outputs; a module is copied and trained from its weights.""",
    "training": """
        n_support, n_query : int or None, default=None
            Rows of a task that serve as support, drawn by class for classification, and at most as
            query, in an episode of training. By default those of n-way tasks, otherwise 10 and 20.
        optimizer : callable, default=torch.optim.Adam
            Optimiser of the meta-parameters.
        lr : float, default={lr}
            Its learning rate.
        max_epochs : int, default=100
            Passes over the training tasks at most.
        batch_size : int, default=16
            Tasks per meta-batch.
        train_split : float or None, default=0.2
            Share of the tasks that are held out to stop early. Where it gives less than one task,
            none is held out.
        patience : int or None, default=20
            Epochs without improvement on held-out tasks after which training stops; then the
            weights of the best epoch are restored. None trains for `max_epochs`.
        callbacks : list of skorch callbacks or None, default=None
            Further callbacks: learning-rate schedules, gradient clipping, scores.
        checkpoint : path or None, default=None
            A file in which training is saved after each epoch and from which it resumes.
        device : str or torch.device, default="cpu"
            Where to compute.
        distributed : bool, default=False
            Whether the processes of torch.distributed, which all call `fit` with the same tasks,
            share each meta-batch. It needs an integer `random_state`.
        verbose : int, default=0
            1 prints losses of each epoch. For a progress bar use
            `set_callbacks(sklearn.callback.ProgressBar())`.
        preprocessor : "auto", None or transformer, default="auto"
            Turns raw rows into numbers; fitted on the rows of the training tasks alone. "auto"
            imputes and standardises numbers and one-hot encodes strings; None takes numbers as they
            are.
        random_state : int, RandomState instance or None, default=None
            Pass an int to get the same weights to the bit on a CPU, for one number of threads.""",
    "class_weight": """
        class_weight : "balanced", dict of class to weight or None, default=None
            Weight of each class in supports and in the loss of training. "balanced" gives all
            classes that a task has the same weight in all. A dict needs classes that mean the same
            in all tasks; those that it does not name weigh one.""",
    "normalize_y": """
        normalize_y : bool, default=True
            Whether to standardise the target by its mean and deviation in the training tasks.""",
    "own_classes": """
        Where classes mean the same in all tasks, the network has one output for each; where they
        are a task's own, it has as many as a task has classes, assigned at random in each
        episode.""",
    "classes_": """
        classes_ : ndarray of shape (n_classes,)
            Classes that the estimator predicts.""",
    "y_scale_": """
        y_mean_, y_scale_ : ndarray of shape (n_outputs,)
            Mean and standard deviation of the target in the training tasks.""",
    "attributes": """
        net_ : EpisodicNet
            The skorch net that trained the network; `net_.history_` holds the losses of each epoch.
        state_ : dict of torch tensors
            What adaptation to the support gave.
        n_support_ : int
            Number of rows that the estimator has adapted to; 0 for the prior.
        preprocessor_ : transformer or None
            The fitted preprocessor.
        shared_target_ : bool
            Whether the target means the same in all tasks.
        n_features_in_ : int
            Number of features seen during `fit`.
        feature_names_in_ : ndarray of shape (n_features_in_,)
            Names of features seen during `fit`, if all were strings.""",
}


@dataclass_transform(kw_only_default=True, eq_default=False)
def parameters(cls: type[T]) -> type[T]:
    """Make a learner's annotated fields its parameters, and fill its docstring.

    Names in double braces in the docstring stand for the descriptions of shared parameters: those
    above, and those that a base class has in `_parameter_docs`. There, "default={name}" stands for
    the default that the class has. What is valid for a parameter (`_parameter_constraints`) is
    inherited from all base classes.
    """
    doc, texts = cls.__doc__ or "", dict(_PARAMETERS)
    for base in reversed(cls.__mro__):
        texts |= vars(base).get("_parameter_docs", {})
    for name, text in texts.items():
        doc = doc.replace("{{" + name + "}}", cleandoc(text).replace("\n", "\n    "))
    # A dataclass's own equality and repr would replace those of an estimator.
    learner = dataclass(kw_only=True, eq=False, repr=False)(cls)
    for field in fields(learner):  # type: ignore[arg-type]
        doc = doc.replace(f"default={{{field.name}}}", f"default={field.default}")
    learner.__doc__ = doc
    constraints: dict = {}
    for base in reversed(learner.__mro__):
        constraints |= vars(base).get("_parameter_constraints", {})
    learner._parameter_constraints = constraints  # type: ignore[attr-defined]
    return learner
