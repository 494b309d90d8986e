"""
================================================
Handwritten digits, from a few examples of each
================================================

A classifier that has never seen a 6, 7, 8 or 9 is to tell them apart after one, five or ten
examples of each. An ordinary classifier starts from nothing. A meta-learner has learned from
*other* digits, 0 to 5, what makes two handwritten characters the same; to the new digits it only
has to adapt.

Here, the meta-learner is :class:`~skmeta.PrototypeClassifier`: it learns an embedding in which the
images of a class lie around their mean, and assigns a new image to the nearest mean. It is compared
with ordinary classifiers fitted to the very same examples; and with the same network trained in the
ordinary way, to name the characters that it learns from.

Every choice below, the opponents' settings included, was made on the digits 0 to 5 alone, by
training on some of them and testing on the others.
"""

# Authors: the skmeta developers
# SPDX-License-Identifier: BSD-3-Clause

import sys

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, LabelEncoder, Normalizer
from skorch import NeuralNetClassifier

from skmeta import PrototypeClassifier, make_n_way_tasks, split_support_query

# %%
# The data
# --------
# 1797 images of 8 x 8 pixels, one flat row each. We set the digits 6 to 9 aside.

X, y = load_digits(return_X_y=True)
X = X / 16  # pixels between 0 and 1
is_new = y >= 6

# %%
# Many characters out of six digits
# ---------------------------------
# Six classes are few to learn from what classes have in common: the embedding would learn these
# six by heart. So we make characters that nobody has ever written. The upper half of one digit
# above the lower half of another gives 30 more; turned by quarters and mirrored, each gives eight.


def with_chimeras(X, y, n_rows=60, seed=0):
    """Add a class for each pair of digits: the upper half of the one, the lower of the other."""
    rng = np.random.default_rng(seed)
    rows, labels = [X], [y]
    for upper in np.unique(y):
        for lower in np.setdiff1d(y, upper):
            top = rng.choice(X[y == upper], n_rows)[:, :32]
            bottom = rng.choice(X[y == lower], n_rows)[:, 32:]
            rows.append(np.hstack([top, bottom]))
            labels.append(np.full(n_rows, 10 * (upper + 1) + lower))
    return np.concatenate(rows), np.concatenate(labels)


def with_symmetries(X, y):
    """Add the turned and the mirrored images of each class as classes of their own."""
    images = X.reshape(-1, 8, 8)
    copies = [
        np.rot90(side, n_quarters, axes=(1, 2)).reshape(X.shape)
        for side in (images, images[:, :, ::-1])
        for n_quarters in range(4)
    ]
    return np.concatenate(copies), np.concatenate([y + 1000 * i for i in range(8)])


characters, names = with_symmetries(*with_chimeras(X[~is_new], y[~is_new]))
print(f"{len(np.unique(names))} classes to learn from")

# %%
# The meta-learner
# ----------------
# The embedding is a small network of our own. Rows come flat, as everywhere in scikit-learn, and
# the network makes images of them. Beside its features it hands on the pixels, so that it starts
# from distances between images and need only improve on them.


class Embedding(torch.nn.Module):
    """Two convolutions, and the pixels."""

    def __init__(self, n_inputs, n_outputs):
        super().__init__()
        self.features = torch.nn.Sequential(
            torch.nn.Unflatten(1, (1, 8, 8)),
            *self.block(1, n_outputs),
            *self.block(n_outputs, n_outputs),
            torch.nn.Flatten(),
        ).to(memory_format=torch.channels_last)  # saves a quarter of a processor's time

    def block(self, n_in, n_out):
        convolution = torch.nn.Conv2d(n_in, n_out, kernel_size=3, padding=1)
        return convolution, torch.nn.BatchNorm2d(n_out), torch.nn.ReLU(), torch.nn.MaxPool2d(2)

    def forward(self, X):
        return torch.cat([self.features(X), 3 * X], dim=1)


# %%
# It trains on tasks: 20 characters at a time are to be told apart after two examples of each. No
# task is seen twice.

torch.set_num_threads(1)  # enough for a small network, and the results repeat to the bit
tasks = make_n_way_tasks(
    characters, names, n_way=20, n_support=2, n_query=3, n_tasks=1000, random_state=0
)
meta = PrototypeClassifier(
    module=Embedding,
    lr=3e-3,
    max_epochs=1,
    batch_size=8,
    train_split=None,
    preprocessor=None,
    random_state=0,
).fit(tasks)

# %%
# The same network, trained as usual
# ----------------------------------
# A fair opponent has learned from the same characters too. The same embedding gets a last layer
# that names them, is trained as any classifier, and sees as many images as the meta-learner. For
# the new digits the last layer is dropped, and a logistic regression of the embedding's outputs,
# scaled to unit length, is fitted to the examples.


class Naming(torch.nn.Module):
    """The embedding, and a layer with an output for each character."""

    def __init__(self, n_characters, n_outputs=64):
        super().__init__()
        self.embedding = Embedding(64, n_outputs)
        self.last = torch.nn.Linear(4 * n_outputs + 64, n_characters)

    def forward(self, X):
        return self.last(self.embedding(X))


torch.manual_seed(0)
naming = NeuralNetClassifier(
    Naming(len(np.unique(names))),
    criterion=torch.nn.CrossEntropyLoss,
    optimizer=torch.optim.Adam,
    lr=3e-3,
    max_epochs=round(tasks.n_rows / len(characters)),
    batch_size=128,
    iterator_train__shuffle=True,
    train_split=None,
    verbose=0,
).fit(characters.astype(np.float32), LabelEncoder().fit_transform(names))


def embed(X):
    """Outputs of the embedding that was trained to name characters."""
    with torch.no_grad():
        return naming.module_.embedding.eval()(torch.as_tensor(X, dtype=torch.float32)).numpy()


# %%
# New digits
# ----------
# 200 tasks for each number of examples ("shots"), all of them with the digits 6 to 9. The examples
# of a task, its *support*, are the same for all methods, and so are the images to classify, its
# *query*. With so few rows, nearest neighbours do best with a single neighbour, and logistic
# regression with little regularisation; the random forest has scikit-learn's defaults. As a forest
# takes nearly ten times as long as any other method, it gets the first 40 of the tasks only, and
# its intervals are wider for that.

opponents = {
    "Nearest neighbour": KNeighborsClassifier(n_neighbors=1),
    "Logistic regression": LogisticRegression(C=10, max_iter=500),
    "Random forest": RandomForestClassifier(n_estimators=100, random_state=0),
    "Pretrained network": make_pipeline(
        FunctionTransformer(embed), Normalizer(), LogisticRegression(C=10, max_iter=500)
    ),
}


N_TASKS, N_TASKS_OF_FOREST = 200, 40


def accuracies(n_shots):
    """Accuracy in % of each method on each of its tasks."""
    tasks = make_n_way_tasks(
        X[is_new],
        y[is_new],
        n_way=4,
        n_support=n_shots,
        n_query=20,
        n_tasks=N_TASKS,
        random_state=1,
    )
    support, query = split_support_query(tasks, 4 * n_shots, stratify=True)
    models = {"Meta-learner": meta.fit_adapt_many(support)}
    for name, opponent in opponents.items():
        its_tasks = support[:N_TASKS_OF_FOREST] if name == "Random forest" else support
        models[name] = [clone(opponent).fit(task.X, task.y) for task in its_tasks]
    return {
        name: [
            100 * model.score(task.X, task.y)
            for model, task in zip(fitted, query[: len(fitted)], strict=True)
        ]
        for name, fitted in models.items()
    }


def mean_and_interval(values):
    """Mean over tasks, and the lower and the upper end of its 95 % confidence interval."""
    mean, half = np.mean(values), 1.96 * np.std(values, ddof=1) / np.sqrt(len(values))
    return mean, mean - half, mean + half


shots = [1, 5, 10]
scores = [accuracies(n_shots) for n_shots in shots]
results = {
    name: np.array([mean_and_interval(at_k_shots[name]) for at_k_shots in scores])
    for name in scores[0]
}

print(f"{'Accuracy in %':20}" + "".join(f"{f'{k} per digit':>14}" for k in shots))
for name, result in results.items():
    print(f"{name:20}" + "".join(f"{m:8.1f} ± {high - m:.1f}" for m, _, high in result))

# %%
# Is the meta-learner better at five examples of each digit, beyond doubt? Its interval should lie
# above the others'. It does, but for the network that was trained as usual, which comes close: most
# of the gain is in what the characters taught, and little in teaching it by tasks. (On the digits
# 0 to 5, three of which were to be told apart after learning from the other three, that network was
# even ahead by one point.)

five = shots.index(5)
_, lowest, _ = results["Meta-learner"][five]
for name in opponents:
    _, _, highest = results[name][five]
    verdict = "above" if lowest > highest else "NOT above"
    print(f"{name}: the meta-learner's interval is {verdict} ({lowest:.1f} against {highest:.1f})")

# %%
# The adaptation curve
# --------------------
# Accuracy against the number of examples. The bands are 95 % confidence intervals of the mean over
# tasks: over draws of examples, that is. How other characters would fare, they do not say.

styles = {  # the colours of Okabe and Ito, which everyone can tell apart
    "Meta-learner": {"color": "#0072B2", "marker": "o", "linewidth": 3},
    "Nearest neighbour": {"color": "#D55E00", "marker": "s"},
    "Logistic regression": {"color": "#009E73", "marker": "^"},
    "Random forest": {"color": "#CC79A7", "marker": "D"},
    "Pretrained network": {"color": "#E69F00", "marker": "v"},
}
plt.rcParams["font.size"] = 13
figure, axes = plt.subplots(figsize=(6.4, 5), layout="constrained")
for name, (mean, low, high) in ((name, result.T) for name, result in results.items()):
    axes.plot(shots, mean, label=name, markersize=7, **styles[name])
    axes.fill_between(shots, low, high, color=styles[name]["color"], alpha=0.2, linewidth=0)
axes.set(
    title="Telling apart the digits 6 to 9,\nhaving learned on 0 to 5",
    xlabel="Examples of each digit",
    ylabel="Accuracy on new images (%)",
    xticks=shots,
)
axes.grid(axis="y", alpha=0.3)
axes.spines[["top", "right"]].set_visible(False)
axes.legend(loc="lower right", frameon=False)
if len(sys.argv) > 1:  # python plot_few_shot_digits.py curve.png
    figure.savefig(sys.argv[1], dpi=150)
if plt.get_backend().lower() != "agg":  # there is a screen
    plt.show()
