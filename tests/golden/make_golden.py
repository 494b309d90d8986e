"""Write the golden files of a version of the format; run it once for each, and never again.

    python tests/golden/make_golden.py

Later versions have to load them and predict what `predictions.json` says.
"""

import json
from functools import partial
from pathlib import Path

import numpy as np

import skmeta
from skmeta.datasets import make_linear_tasks
from skmeta.nets import MLP
from skmeta.persistence._container import FORMAT_VERSION

FOLDER = Path(__file__).parent / f"format_{FORMAT_VERSION}"
QUERY = np.linspace(-2, 2, 15).reshape(5, 3)


def main():
    FOLDER.mkdir(exist_ok=False)  # what is golden stays as it is
    tasks = make_linear_tasks(12, 12, 3, noise=0.1, random_state=0)
    support = tasks[0].X[:6], tasks[0].y[:6]
    small = partial(MLP, hidden_sizes=(4,))
    linear = skmeta.MetaRidgeRegressor().fit(tasks)
    net = {"module": small, "max_epochs": 2, "random_state": 0}
    tree = skmeta.MetaDecisionTreeRegressor(max_depth=2, random_state=0)
    models = {
        "linear": linear,
        "linear_adapted": linear.fit_adapt(*support),
        "tree_adapted": tree.fit(tasks).fit_adapt(*support),
        "neural": skmeta.RidgeHeadRegressor(**net).fit(tasks),
        "neural_adapted": skmeta.MAMLRegressor(**net).fit(tasks).fit_adapt(*support),
    }
    for name, model in models.items():
        skmeta.save(model, FOLDER / f"{name}.skmeta")
    predictions = {name: model.predict(QUERY).tolist() for name, model in models.items()}
    (FOLDER / "predictions.json").write_text(json.dumps(predictions, indent=1) + "\n")


if __name__ == "__main__":
    main()
