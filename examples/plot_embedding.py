"""
An embedding before and after meta-training
===========================================

Metric-based and closed-form learners do one thing while they learn from tasks: they look for an
embedding in which rows of a class lie together, whatever the classes are. This example looks at
such an embedding before and after, on classes that no training task had.
"""

# %%
# Many classes, told apart by little
# ----------------------------------
# A row holds twenty numbers. Two of them, mixed into all twenty, say what its class is; the others
# are the same for all classes, and vary much more. Think of spectra in which the background
# dominates. There are fifty classes; the first forty are for training.

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.decomposition import PCA

from skmeta import PrototypeClassifier, make_n_way_tasks, split_support_query
from skmeta.nets import MLP

rng = np.random.default_rng(0)
y = np.repeat(np.arange(50), 30)
informative = 2.0 * rng.normal(size=(50, 2))[y] + 0.3 * rng.normal(size=(len(y), 2))
nuisance = 3.0 * rng.normal(size=(len(y), 18))
mixing = np.linalg.qr(rng.normal(size=(20, 20)))[0]
X = np.column_stack([informative, nuisance]) @ mixing

train = make_n_way_tasks(
    X[y < 40], y[y < 40], n_way=5, n_support=5, n_query=10, n_tasks=300, random_state=0
)
test = make_n_way_tasks(
    X[y >= 40], y[y >= 40], n_way=5, n_support=5, n_query=10, n_tasks=200, random_state=0
)

# %%
# A prototypical network for them
# -------------------------------
# Its embedding is an ordinary torch module, here one with two outputs, which can be drawn as they
# are. `module=None` compares rows with class means as they are: the nearest centroid.

torch.manual_seed(0)
embedding = MLP(n_inputs=20, n_outputs=2, hidden_sizes=(40,), activation="tanh")
meta = PrototypeClassifier(module=embedding, lr=0.01, max_epochs=30, random_state=0).fit(train)
plain = PrototypeClassifier(module=None).fit(train)


def accuracy(meta, tasks):
    """Mean over tasks, given five rows of each class."""
    supports, queries = split_support_query(tasks, n_support=25, stratify=True)
    models = meta.fit_adapt_many(supports)
    return np.mean([m.score(q.X, q.y) for m, q in zip(models, queries, strict=True)])


before, after = accuracy(plain, test), accuracy(meta, test)
print(f"Accuracy on new classes: {before:.2f} with rows as they are, {after:.2f} embedded.")

# %%
# Before and after
# ----------------
# Five of the ten new classes. Left: the two directions in which rows vary most. Middle: the
# embedding as it starts, random. Right: the embedding that was learned from other classes, with the
# prototypes of five rows each.


def embed(network, rows):
    """Embed rows as the learner does, from standardised columns."""
    rows = torch.as_tensor(meta.preprocessor_.transform(rows), dtype=torch.float32)
    with torch.no_grad():
        return network(rows).numpy()


shown = (y >= 40) & (y < 45)
first = np.flatnonzero(shown & (np.arange(len(y)) % 30 < 5))  # five rows of each
model = meta.fit_adapt(X[first], y[first])
views = {
    f"rows as they are\n(accuracy {before:.2f})": PCA(2).fit_transform(X[shown]),
    "embedding before training": embed(embedding, X[shown]),
    f"embedding after training\n(accuracy {after:.2f})": embed(
        meta.net_.module_.learner.embedding, X[shown]
    ),
}
fig, axes = plt.subplots(1, 3, figsize=(10, 3.6), layout="constrained")
for ax, (title, points) in zip(axes, views.items(), strict=True):
    for code, label in enumerate(range(40, 45)):
        ax.scatter(*points[y[shown] == label].T, s=14, color=f"C{code}", label=f"class {label}")
    ax.set(title=title, xticks=[], yticks=[])
prototypes = model.state_["prototypes"][0].numpy()
axes[2].scatter(*prototypes.T, marker="*", s=160, color="black", label="prototype")
axes[2].legend(fontsize="x-small")
plt.show()
