"""Four processes on one search in PostgreSQL, one of which is killed: is every trial accounted for?

Starts a PostgreSQL server of its own in a temporary folder, which only this user can reach, and
stops it at the end. Four worker processes call `MetaSearchCV.fit` with the same storage and name.
As soon as a few trials are complete, one worker gets SIGKILL in the middle of a trial. Prints all
trials of the study and checks that none was lost:

    pip install "skmeta[postgresql]"
    python benchmarks/search_postgresql.py --trials 24

PostgreSQL's programs `initdb` and `pg_ctl` must be on the PATH (Debian keeps them in
/usr/lib/postgresql/15/bin). As PostgreSQL refuses to run as root, root starts it as another user.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState
from scipy.stats import loguniform
from sklearn.datasets import load_iris
from sklearn.svm import SVC

from skmeta import MetaSearchCV
from skmeta.model_selection._meta_search._lost import DROPPED, RETRY_OF, WORKER

NAME = "iris"
N_WORKERS = 4
N_BEFORE_KILL = 5  # trials that are complete when a worker is killed
PATIENCE = 300.0  # seconds


# ---------------------------------------------------------------------- the server


@contextmanager
def postgresql(user: str | None) -> Iterator[str]:
    """Run a server while the block runs; gives its URL.

    Parameters
    ----------
    user : str or None
        Who runs it, if not the user of this process.
    """
    for program in ("initdb", "pg_ctl"):
        if shutil.which(program) is None:
            raise SystemExit(f"{program} is not on the PATH: install PostgreSQL's server programs.")
    folder = Path(tempfile.mkdtemp(prefix="search-pg-"))
    if user is not None:
        shutil.chown(folder, user)
    data = folder / "data"
    try:
        run(["initdb", "-D", data, "--auth=trust", "-U", "search", "-E", "UTF8"], user)
        # A socket in a folder of ours instead of a port: no one else can connect.
        options = f"-k {folder} -c listen_addresses=''"
        run(["pg_ctl", "-D", data, "-w", "-l", folder / "log", "-o", options, "start"], user)
        try:
            yield f"postgresql+psycopg://search@/postgres?host={folder}"
        finally:
            run(["pg_ctl", "-D", data, "-w", "-m", "fast", "stop"], user)
    finally:
        shutil.rmtree(folder)


def run(command: list[Any], user: str | None) -> None:
    """Run a program of PostgreSQL's, and show what it said if it fails."""
    # The server inherits the output of pg_ctl, so that a pipe would never end: use a file.
    with tempfile.TemporaryFile("w+") as output:
        owner = {} if user is None else {"user": user, "extra_groups": []}
        code = subprocess.run(
            list(map(str, command)), stdout=output, stderr=output, cwd="/", **owner
        ).returncode
        if code:
            output.seek(0)
            raise SystemExit(f"{command[0]} failed with status {code}:\n{output.read()}")


def unprivileged_user(asked: str | None) -> str | None:
    """Who runs the server: PostgreSQL refuses root."""
    if os.geteuid() != 0:
        if asked is not None:
            raise SystemExit(f"--user {asked}: only root can run the server as another user.")
        return None
    known = {entry.pw_name for entry in pwd.getpwall() if entry.pw_uid != 0}
    for name in [asked] if asked is not None else ["postgres", "nobody"]:
        if name in known:
            return name
    raise SystemExit(
        "PostgreSQL does not run as root, and there is no user "
        f"{asked or 'postgres or nobody'} to run it as: name one with --user."
    )


# ---------------------------------------------------------------------- the search


class SlowSVC(SVC):
    """Takes long enough for all workers to have a share."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> SlowSVC:
        """Wait, and fit."""
        time.sleep(0.3)
        return super().fit(X, y, sample_weight)


def search(url: str, n_trials: int) -> MetaSearchCV:
    """Take part in the search until no trial is left to begin."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    space = {"C": loguniform(1e-3, 1e3), "gamma": loguniform(1e-5, 1)}
    searcher = MetaSearchCV(SlowSVC(), space, n_trials=n_trials, cv=3, storage=url, study_name=NAME)
    return searcher.fit(*load_iris(return_X_y=True))


def run_workers(url: str, n_trials: int) -> tuple[list[BaseProcess], BaseProcess]:
    """Search with several processes and kill one; returns all of them, and that one."""
    # Two processes must not make the tables of a new database at once.
    storage = optuna.storages.get_storage(url)
    spawn = multiprocessing.get_context("spawn")
    workers: list[BaseProcess] = [
        spawn.Process(target=search, args=(url, n_trials)) for _ in range(N_WORKERS)
    ]
    for worker in workers:
        worker.start()
    try:
        dead = kill_one(workers, storage)
        for worker in workers:
            worker.join()
    finally:
        for worker in workers:
            worker.kill()
            worker.join()  # before its server goes
    return workers, dead


def kill_one(workers: list[BaseProcess], storage: Any) -> BaseProcess:
    """Kill a worker in the middle of a trial."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if any(worker.exitcode for worker in workers):
            raise SystemExit("A worker failed before one was killed.")
        trials = trials_of(storage)
        n_complete = sum(trial.state == TrialState.COMPLETE for trial in trials)
        busy = {worker_of(t) for t in trials if t.state == TrialState.RUNNING and t.params}
        # All of them must take part before one is killed.
        if n_complete >= N_BEFORE_KILL and len({worker_of(t) for t in trials}) == len(workers):
            for worker in workers:
                if worker.pid in busy:
                    worker.kill()
                    worker.join()
                    return worker
        time.sleep(0.02)
    raise SystemExit(f"No worker was busy with a trial for {PATIENCE:.0f} seconds.")


def trials_of(storage: Any) -> list[FrozenTrial]:
    """All trials so far; none before the first worker has made the study."""
    if NAME not in {study.study_name for study in storage.get_all_studies()}:
        return []
    return optuna.load_study(study_name=NAME, storage=storage).trials


def worker_of(trial: FrozenTrial) -> int | None:
    """Process id of the worker that a trial is, or was, with."""
    return trial.user_attrs.get(WORKER, {}).get("pid")


# ---------------------------------------------------------------------- what became of it


def print_trials(trials: list[FrozenTrial], labels: dict[int | None, str]) -> None:
    """A line for each trial."""
    print(f"{'trial':>5}  {'state':9} {'worker':9} {'C':>9} {'gamma':>9} {'score':>6}  note")
    for trial in trials:
        params = " ".join(f"{trial.params.get(name, float('nan')):9.3g}" for name in ("C", "gamma"))
        score = "" if trial.value is None else f"{trial.value:.3f}"
        notes = [trial.user_attrs[DROPPED]] if DROPPED in trial.user_attrs else []
        if RETRY_OF in trial.user_attrs:
            notes.append(f"retry of trial {trial.user_attrs[RETRY_OF]}")
        label = labels.get(worker_of(trial), "none")
        print(f"{trial.number:5}  {trial.state.name:9} {label:9} {params} {score:>6}  "
              f"{', '.join(notes)}".rstrip())  # fmt: skip


def find_losses(trials: list[FrozenTrial], n_trials: int, dead: BaseProcess) -> list[str]:
    """What is wrong with the study, if anything."""
    dropped = [trial for trial in trials if DROPPED in trial.user_attrs]
    counted = [trial for trial in trials if DROPPED not in trial.user_attrs]
    retries = {trial.user_attrs.get(RETRY_OF): trial for trial in counted}
    losses = []
    if len(counted) != n_trials:
        losses.append(f"{len(counted)} trials count instead of {n_trials}")
    losses += [f"trial {t.number} has no score" for t in counted if t.value is None]
    for trial in dropped:
        if trial.user_attrs[DROPPED].startswith("retried") and trial.params:
            again = retries.get(trial.number)
            if again is None or again.params != trial.params:
                losses.append(f"trial {trial.number} was not run again")
    if not any(worker_of(trial) == dead.pid for trial in dropped):
        losses.append("the killed worker left no trial behind")
    return losses


def report(found: MetaSearchCV, workers: list[BaseProcess], dead: BaseProcess) -> list[str]:
    """Print what became of the trials; returns what is wrong."""
    trials = found.study_.trials
    labels = {worker.pid: f"worker {i}" for i, worker in enumerate(workers)}
    labels[dead.pid] += " *"
    print_trials(trials, labels)
    counted = [trial for trial in trials if DROPPED not in trial.user_attrs]
    shares = Counter(labels.get(worker_of(trial), "none") for trial in counted)
    print("Trials that count: " + ", ".join(f"{k}: {n}" for k, n in sorted(shares.items())))
    print(f"cv_results_ has {len(found.cv_results_['params'])} trials; "
          f"best score {found.best_score_:.3f}.")  # fmt: skip
    failed = [labels[w.pid] for w in workers if w.exitcode and w is not dead]
    return find_losses(trials, found.n_trials, dead) + [f"{label} failed" for label in failed]


def main(arguments: list[str] | None = None) -> int:
    """Run the search, kill a worker and report."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--trials", type=int, default=24)
    parser.add_argument("--user", help="who runs the server if you are root")
    options = parser.parse_args(arguments)
    if options.trials <= N_BEFORE_KILL + N_WORKERS:
        parser.error(f"--trials must be above {N_BEFORE_KILL + N_WORKERS}, got {options.trials}.")
    with postgresql(unprivileged_user(options.user)) as url:
        start = time.monotonic()
        workers, dead = run_workers(url, options.trials)
        seconds = time.monotonic() - start
        print(f"PostgreSQL, {N_WORKERS} processes, {options.trials} trials, {seconds:.0f} s. "
              "* got SIGKILL.")  # fmt: skip
        # Another fit with the same name reads all trials; nothing is left to run.
        losses = report(search(url, options.trials), workers, dead)
    print("\n".join(["LOST:", *losses]) if losses else "Every trial is accounted for.")
    return 1 if losses else 0


if __name__ == "__main__":
    sys.exit(main())
