"""Draw the picture of the README: what meta-learning does for a new task with five rows.

python docs/make_pictures.py
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from skmeta import MAMLRegressor
from skmeta.datasets import make_sinusoid_tasks

BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#8a8a8a"


def main() -> None:
    """Train on many waves, adapt to a new one, and draw both."""
    tasks = make_sinusoid_tasks(2000, 20, random_state=0)
    meta = MAMLRegressor(n_support=5, inner_lr=0.05, max_epochs=60, random_state=0).fit(tasks)
    x = np.linspace(-5, 5, 200)[:, None]
    amplitude, phase = 4.0, 2.0
    support = np.array([[-4.2], [-2.4], [-0.4], [1.4], [3.6]])
    y = amplitude * np.sin(support[:, 0] - phase)

    plt.rcParams["font.size"] = 12
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), sharey=True, layout="constrained")
    for task, color in zip(tasks[:5], plt.cm.viridis(np.linspace(0, 0.9, 5)), strict=True):
        waves = np.c_[np.sin(task.X), np.cos(task.X)]
        weights = np.linalg.lstsq(waves, task.y)[0]
        left.plot(x, np.c_[np.sin(x), np.cos(x)] @ weights, color=color, alpha=0.35, lw=1.5)
        left.plot(task.X, task.y, "o", color=color, ms=4)
    left.set(title="fit: learn from many small tasks", xlabel="x", ylabel="y")
    right.plot(x, amplitude * np.sin(x - phase), color=GREY, lw=5, alpha=0.35, label="the new task")
    right.plot(x, meta.predict(x), "--", color=BLUE, label="before any row: the prior")
    meta.set_params(n_adapt_steps=20)
    right.plot(
        x, meta.fit_adapt(support, y).predict(x), color=ORANGE, lw=2, label="adapted to 5 rows"
    )
    right.plot(support, y, "o", color="black", label="its 5 rows", zorder=3)
    right.set(title="fit_adapt: five rows of a new one", xlabel="x")
    figure.legend(loc="outside right center", frameon=False)
    figure.savefig(Path(__file__).parent / "images" / "adaptation.png", dpi=110)


if __name__ == "__main__":
    main()
