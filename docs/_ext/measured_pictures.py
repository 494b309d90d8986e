"""Draws the pictures of the page of measurements from the rows in `docs/results`.

Sphinx draws them anew with each build, into `docs/images/measured`, so that a picture shows what
the rows say. `python docs/_ext/measured_pictures.py` draws them without a build.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd

DOCS = Path(__file__).parents[1]
FOLDER = DOCS / "images" / "measured"
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")


def draw_dots(axes, rows: pd.DataFrame, name: str, group: str, value: str) -> None:
    """One line of dots for each name, from the top down, a colour for each group."""
    names = list(dict.fromkeys(rows[name]))[::-1]
    for color, key in zip(COLORS, dict.fromkeys(rows[group]), strict=False):
        part = rows[rows[group] == key]
        height = [names.index(each) for each in part[name]]
        axes.plot(part[value], height, "o", color=color, label=str(key))
    axes.set_yticks(range(len(names)), labels=names)
    axes.axvline(1, color="#555555", lw=1, ls="--")
    axes.grid(alpha=0.25)


def draw_legend(figure, axes, title: str) -> None:
    """One legend for the whole figure, below it."""
    handles, labels = axes.get_legend_handles_labels()
    columns = 2 if max(map(len, labels)) > 20 else 3
    figure.legend(
        handles, labels, title=title, ncols=columns, loc="outside lower center", frameon=False
    )


def real_tables(rows: pd.DataFrame):
    """Error relative to not adapting of each method."""
    figure, panels = plt.subplots(2, 1, figsize=(8, 5), sharex=True, layout="constrained")
    for axes, kind in zip(panels, ("regression", "classification"), strict=True):
        draw_dots(axes, rows[rows["kind"] == kind], "method", "k", "ratio")
        axes.set_title(kind)
    panels[1].set_xlabel("error relative to not adapting")
    draw_legend(figure, panels[0], "rows of a new task")
    return figure


def real_tables_collections(rows: pd.DataFrame):
    """The same of one learner for each collection."""
    figure, axes = plt.subplots(figsize=(8, 6), layout="constrained")
    draw_dots(axes, rows.sort_values(["k", "ratio"]), "collection", "k", "ratio")
    axes.set(xlabel="error relative to not adapting", xlim=(0, 1.05))
    draw_legend(figure, axes, "rows of a new task")
    return figure


def search_regret(rows: pd.DataFrame):
    """Regret of searches against the number of trials."""
    figure, axes = plt.subplots(figsize=(8, 5), layout="constrained")
    for color, (method, part) in zip(COLORS, rows.groupby("method", sort=False), strict=False):
        axes.plot(part["trials"], part["regret"], "o-", ms=4, color=color, label=method)
    trials = sorted(rows["trials"].unique())
    axes.set(xscale="log", yscale="log", xlabel="trials", ylabel="mean normalised regret")
    axes.set_xticks(trials, labels=trials)
    axes.minorticks_off()
    axes.grid(alpha=0.25)
    draw_legend(figure, axes, "")
    return figure


def throughput(rows: pd.DataFrame):
    """Training steps per second, relative to learn2learn."""
    figure, axes = plt.subplots(figsize=(8, 4.5), layout="constrained")
    draw_dots(axes, rows, "training", "library", "times_as_fast")
    axes.set(xscale="log", xlabel="times as fast as learn2learn")
    draw_legend(figure, axes, "")
    return figure


def memory(rows: pd.DataFrame):
    """Memory of a meta-gradient against the number of inner steps."""
    figure, axes = plt.subplots(figsize=(8, 4), layout="constrained")
    for color, (variant, part) in zip(COLORS, rows.groupby("variant", sort=False), strict=False):
        axes.plot(part["inner_steps"], part["megabytes"], "o-", color=color, label=variant)
    axes.set(xlabel="inner steps", ylabel="megabytes", ylim=(0, None))
    axes.grid(alpha=0.25)
    draw_legend(figure, axes, "")
    return figure


def omniglot(rows: pd.DataFrame):
    """Accuracy on new characters against time of training."""
    figure, axes = plt.subplots(figsize=(8, 4), layout="constrained")
    for color, (learner, part) in zip(COLORS, rows.groupby("learner", sort=False), strict=False):
        axes.plot(part["minutes"], part["accuracy"], "o-", color=color, label=learner)
    axes.axhline(97, color="#555555", lw=1, ls="--")
    axes.set(xlabel="minutes of one core", ylabel="accuracy in %", xlim=(0, None))
    axes.grid(alpha=0.25)
    draw_legend(figure, axes, "")
    return figure


PICTURES = (real_tables, real_tables_collections, search_regret, throughput, memory, omniglot)


def draw_all(folder: Path = FOLDER) -> None:
    """Draw each picture from the rows in the file of its name."""
    folder.mkdir(parents=True, exist_ok=True)
    for draw in PICTURES:
        rows = pd.read_csv(DOCS / "results" / f"{draw.__name__}.csv")
        with plt.rc_context({"font.size": 10, "svg.hashsalt": "skmeta"}):
            figure = draw(rows)
            figure.savefig(folder / f"{draw.__name__}.svg", metadata={"Date": None})
        plt.close(figure)


def setup(app):
    """Draw before pages are read."""
    app.connect("builder-inited", lambda app: draw_all())
    return {"parallel_read_safe": True, "parallel_write_safe": True}


if __name__ == "__main__":
    draw_all()
