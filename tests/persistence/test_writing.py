"""A file appears at once, and a failing or killed save leaves the old one."""

import os
import signal
import stat
import subprocess
import sys
import time

import pytest

import skmeta
from skmeta.datasets import make_linear_tasks
from skmeta.persistence import _container

MODEL = skmeta.MetaRidgeRegressor().fit(make_linear_tasks(8, 12, 3, random_state=0))


def test_a_file_is_replaced_and_nothing_else_is_left(tmp_path):
    path = tmp_path / "model.skmeta"
    path.write_text("old")
    skmeta.save(MODEL, path)
    skmeta.save(MODEL, os.fspath(path))
    assert repr(skmeta.load(path)) == repr(MODEL)
    assert os.listdir(tmp_path) == ["model.skmeta"]


def test_a_failing_save_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "model"
    path.write_text("old")

    def fail(descriptor):
        raise OSError("No space left on device")

    monkeypatch.setattr(_container.os, "fsync", fail)
    with pytest.raises(OSError, match="No space"):
        skmeta.save(MODEL, path)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["model"]


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError):
        skmeta.save(MODEL, tmp_path / "nowhere" / "model")


@pytest.mark.skipif(os.name != "posix", reason="rights are those of POSIX")
def test_rights_are_those_of_any_new_file_or_of_the_old_one(tmp_path):
    (tmp_path / "other").touch()
    skmeta.save(MODEL, tmp_path / "model")
    assert _rights(tmp_path / "model") == _rights(tmp_path / "other")
    (tmp_path / "model").chmod(0o640)
    skmeta.save(MODEL, tmp_path / "model")
    assert _rights(tmp_path / "model") == 0o640


def _rights(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "model")
    skmeta.save(MODEL, tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "model").is_file()


@pytest.mark.skipif(os.name != "posix", reason="signals are those of POSIX")
def test_a_killed_save_leaves_a_whole_file(tmp_path):
    """Three kills; `benchmarks/kill_save.py` makes fifty, of larger files."""
    path = tmp_path / "model"
    skmeta.save(MODEL, path)
    code = (
        "import sys, skmeta; model = skmeta.load(sys.argv[1]); print(flush=True)\n"
        "while True: skmeta.save(model, sys.argv[1])"
    )
    for seconds in (0.0, 0.02, 0.07):
        with subprocess.Popen([sys.executable, "-c", code, path], stdout=subprocess.PIPE) as saving:
            saving.stdout.readline()
            time.sleep(seconds)
            saving.send_signal(signal.SIGKILL)
        assert repr(skmeta.load(path)) == repr(MODEL)
