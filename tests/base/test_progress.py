"""Fits tell scikit-learn's callbacks of their parts, and Ctrl-C keeps what was learned so far."""

import numpy as np
import pytest
import torch
from scipy.stats import loguniform
from sklearn.callback import ProgressBar
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from skorch import NeuralNetRegressor
from skorch.callbacks import Callback, EarlyStopping

from skmeta import (
    AutoMetaRegressor,
    HypergradientSearchCV,
    MAMLRegressor,
    MetaBoostingRegressor,
    MetaForestClassifier,
    MetaGradientDescentRegressor,
    MetaRidgeRegressor,
    MetaSearchCV,
    MetaStackingRegressor,
    MetaSVR,
    PooledRegressor,
    Task,
    TaskwiseRegressor,
)
from skmeta.datasets import make_linear_tasks

TASKS = make_linear_tasks(12, 8, 2, noise=0.1, random_state=0)
CLASSES = TASKS.with_storage(y=(TASKS.y > 0).astype(int))
NEW = TASKS[0]


class Recorder:
    """A callback of scikit-learn's that counts the parts of a fit, also of those inside it."""

    max_propagation_depth = None

    def __init__(self):
        self.begun, self.ended = [], []

    def setup(self, estimator, context): ...
    def teardown(self, estimator, context): ...

    def on_fit_task_begin(self, estimator, context):
        self.begun.append((type(estimator).__name__, context.task_name))

    def on_fit_task_end(self, estimator, context):
        self.ended.append((type(estimator).__name__, context.task_name))


class Interrupt(Callback):
    """Ctrl-C, in the middle of an epoch of the training of any network."""

    def __init__(self, epoch):
        self.epoch = epoch

    def on_batch_begin(self, net, training=False, **kwargs):
        if training and len(net.history) == self.epoch:
            raise KeyboardInterrupt


def maml(**options):
    defaults = {"max_epochs": 6, "random_state": 0, "patience": None, "n_steps": 1}
    return MAMLRegressor(**defaults | options)


def weights(meta):
    return torch.cat([p.detach().flatten() for p in meta.net_.module_.parameters()])


# ---------------------------------------------------------------------- what is told


def _many_searches():
    tasks = [Task(CLASSES.X[:40], CLASSES.y[:40], name="a"), Task(CLASSES.X, CLASSES.y, name="b")]
    search = MetaSearchCV(LogisticRegression(), {"C": [0.1, 1.0, 10.0]}, n_trials=2, cv=2)
    return search, (tasks,)


def _hypergradients():
    net = NeuralNetRegressor(torch.nn.Linear(2, 1), max_epochs=2, train_split=None, verbose=0)
    data = TASKS.X.astype(np.float32), TASKS.y.astype(np.float32)[:, None]
    space = {"lr": loguniform(1e-3, 1e-1)}
    return HypergradientSearchCV(net, space, n_steps=3, cv=2, random_state=0), data


@pytest.mark.parametrize(
    ("make", "parts"),
    [
        (lambda: (maml(), (TASKS,)), ["epoch"] * 6),
        (lambda: (MetaSVR(), (TASKS,)), ["pooled machines of folds", "parameters"]),
        (lambda: (MetaForestClassifier(n_estimators=2), (CLASSES,)), ["parameters", "trees"]),
        (lambda: (MetaBoostingRegressor(), (TASKS,)), ["process"] * 2 + ["few-shot validation"]),
        (lambda: (AutoMetaRegressor(), (TASKS,)), ["candidates", "all tasks"]),
        (_many_searches, ["dataset"] * 2),
        (_hypergradients, ["step"] * 4),
    ],
)
def test_parts_are_told(make, parts):
    estimator, data = make()
    recorder = Recorder()
    estimator.set_callbacks(recorder).fit(*data)
    name = type(estimator).__name__
    assert sorted(recorder.begun) == sorted(recorder.ended)
    own = [task for who, task in recorder.begun if who == name]
    assert own[0] == "fit"
    for part in set(parts):
        assert own.count(part) >= parts.count(part)


def test_parts_of_a_partial_fit_are_told():
    recorder = Recorder()
    maml().fit(TASKS).set_callbacks(recorder).partial_fit(TASKS)
    assert recorder.ended == [("MAMLRegressor", "epoch")] * 6 + [("MAMLRegressor", "partial_fit")]


def test_parts_of_candidates_are_told_as_well():
    recorder = Recorder()
    stack = MetaStackingRegressor([("maml", maml()), ("pooled", PooledRegressor())], n_folds=2)
    stack.set_callbacks(recorder).fit(TASKS)
    assert recorder.begun.count(("MAMLRegressor", "epoch")) >= 2 * 6
    recorder = Recorder()
    X = np.column_stack([TASKS.row_task, TASKS.X])
    TaskwiseRegressor(MetaSVR()).set_callbacks(recorder).fit(X, TASKS.y)
    assert ("MetaSVR", "parameters") in recorder.ended


def test_a_progress_bar_shows_the_time_that_is_left(capsys):
    maml().set_callbacks(ProgressBar()).fit(TASKS)
    out = "".join(capsys.readouterr())
    assert "MAMLRegressor - fit" in out
    assert "100%" in out
    assert "0:00:0" in out
    for quiet in (maml(), AutoMetaRegressor()):
        quiet.fit(TASKS)
    assert not "".join(capsys.readouterr())


# ---------------------------------------------------------------------- Ctrl-C


def test_an_interrupted_training_keeps_whole_epochs():
    meta = maml(callbacks=[Interrupt(4)])
    with pytest.warns(UserWarning, match=r"MAMLRegressor was interrupted. It keeps .* 3 epochs"):
        meta.fit(TASKS)
    assert torch.equal(weights(meta), weights(maml(max_epochs=3).fit(TASKS)))
    assert len(meta.net_.history_[:, "train_loss"]) == 3
    assert np.isfinite(meta.fit_adapt(NEW.X, NEW.y).predict(NEW.X)).all()
    meta.set_params(callbacks=None).partial_fit(TASKS)  # and may go on


def test_an_interrupted_training_with_held_out_tasks_keeps_the_best_epoch():
    options = {"lr": 0.2, "patience": 12, "max_epochs": 12}
    with pytest.warns(UserWarning, match="keeps the weights of 11 epochs"):
        meta = maml(callbacks=[Interrupt(12)], **options).fit(TASKS)
    assert torch.equal(weights(meta), weights(maml(**options | {"max_epochs": 11}).fit(TASKS)))


def test_an_interruption_in_the_first_epoch_leaves_a_learner_that_can_be_used():
    with pytest.warns(UserWarning, match="part of the first epoch"):
        meta = maml(callbacks=[Interrupt(1)], patience=3).fit(TASKS)
    assert np.isfinite(meta.fit_adapt(NEW.X, NEW.y).predict(NEW.X)).all()


def test_an_interrupted_training_goes_on_from_its_checkpoint(tmp_path):
    path = tmp_path / "training.pt"
    with pytest.warns(UserWarning, match="goes on from the checkpoint"):
        maml(callbacks=[Interrupt(4)], checkpoint=path).fit(TASKS)
    with pytest.warns(UserWarning, match="keeps the weights of 4 epochs"):  # in a resumed epoch
        again = maml(callbacks=[Interrupt(5)], checkpoint=path).fit(TASKS)
    assert torch.equal(weights(again), weights(maml(max_epochs=4).fit(TASKS)))
    resumed = maml(checkpoint=path).fit(TASKS)
    assert torch.equal(weights(resumed), weights(maml().fit(TASKS)))


def test_early_stopping_is_no_interruption():
    stop = EarlyStopping(monitor="train_loss", patience=1, threshold=0.99)
    meta = maml(callbacks=[stop], max_epochs=50).fit(TASKS)
    assert len(meta.net_.history_) < 50
    assert not meta.net_.is_interrupted_


def test_an_interrupted_choice_is_among_those_that_were_trained():
    meta = MetaGradientDescentRegressor(
        n_steps=[1, 2, 3], max_epochs=3, random_state=0, callbacks=[InterruptSecond()]
    )
    with pytest.warns(UserWarning, match="was interrupted"):
        meta.fit(TASKS)
    assert list(meta.validation_losses_) == [(1, None), (2, None)]
    assert np.isfinite(meta.fit_adapt(NEW.X, NEW.y).predict(NEW.X)).all()


class InterruptSecond(Callback):
    """Ctrl-C in the second epoch of the second training of a learner."""

    n_trainings = 0  # callbacks are copied for each training

    def on_train_begin(self, net, **kwargs):
        InterruptSecond.n_trainings += 1

    def on_batch_begin(self, net, training=False, **kwargs):
        if InterruptSecond.n_trainings == 2 and len(net.history) == 2:
            raise KeyboardInterrupt


def test_a_search_over_learners_ends_with_the_training():
    search = GridSearchCV(maml(callbacks=[Interrupt(2)]), {"lr": [0.1, 0.01]}, cv=2)
    with pytest.raises(KeyboardInterrupt):
        search.fit(TASKS)


def test_an_interrupted_stack_goes_on_with_the_candidates_that_were_tried():
    candidates = [
        ("pooled", PooledRegressor()),
        ("mixed", MetaRidgeRegressor()),
        ("maml", maml(callbacks=[Interrupt(2)])),
        ("svm", MetaSVR()),
    ]
    stack = MetaStackingRegressor(candidates, n_folds=2)
    with pytest.warns(UserWarning, match="were tried by then: pooled, mixed. Interrupt it again"):
        stack.fit(TASKS)
    assert stack.report_.skipped == {"maml": "interrupted", "svm": "interrupted"}
    assert set(stack.named_estimators_) == {"pooled", "mixed"}
    assert np.isfinite(stack.fit_adapt(NEW.X, NEW.y).predict(NEW.X)).all()
    with pytest.raises(KeyboardInterrupt):  # the guard has nothing to compare with
        MetaStackingRegressor(candidates[::-1][1:], n_folds=2).fit(TASKS)


def test_an_interrupted_taskwise_learner_adapts_to_the_tasks():
    X = np.column_stack([TASKS.row_task, TASKS.X])
    model = TaskwiseRegressor(maml(callbacks=[Interrupt(3)]))
    with pytest.warns(UserWarning, match="keeps the weights of 2 epochs"):
        model.fit(X, TASKS.y)
    assert len(model.models_) == len(TASKS)
    assert np.isfinite(model.predict(X)).all()


class InterruptedScore:
    """Accuracy, and Ctrl-C when it is asked for so many times."""

    def __init__(self, n_calls):
        self.n_left = n_calls

    def __call__(self, model, X, y):
        self.n_left -= 1
        if not self.n_left:
            raise KeyboardInterrupt
        return model.score(X, y)


def test_an_interrupted_search_keeps_its_trials():
    space = {"C": [0.01, 0.1, 1.0, 10.0]}
    options = {"cv": 2, "n_trials": 4, "random_state": 0}
    search = MetaSearchCV(LogisticRegression(), space, scoring=InterruptedScore(6), **options)
    with pytest.warns(UserWarning, match="best of the trials that were done is taken"):
        search.fit(CLASSES.X, CLASSES.y)
    assert len(search.cv_results_["params"]) == 2
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    search.predict(CLASSES.X)
    with pytest.raises(KeyboardInterrupt):  # nothing was done by then
        search.set_params(scoring=InterruptedScore(2)).fit(CLASSES.X, CLASSES.y)


def test_after_an_interrupted_progress_bar_the_next_one_works(capsys):
    with pytest.warns(UserWarning, match="was interrupted"):
        maml(callbacks=[Interrupt(3)]).set_callbacks(ProgressBar()).fit(TASKS)
    with pytest.raises(KeyboardInterrupt):
        GridSearchCV(maml(callbacks=[Interrupt(2)]), {"lr": [0.1]}, cv=2).set_callbacks(
            ProgressBar()
        ).fit(TASKS)
    capsys.readouterr()
    maml().set_callbacks(ProgressBar()).fit(TASKS)
    assert "100%" in "".join(capsys.readouterr())
