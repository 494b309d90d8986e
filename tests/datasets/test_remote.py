"""Downloads from a server on this machine: checked, kept, and nothing left of failed ones."""

import hashlib
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from remote_files import serving

from skmeta.datasets._remote import RemoteFile, fetch_file

CONTENT = bytes(range(256)) * 400


@pytest.fixture
def site():
    with serving(CONTENT) as site:
        yield site


@pytest.fixture
def fetch(site, tmp_path, monkeypatch):
    """Fetch the site's file into an empty folder."""
    monkeypatch.setattr("pooch.core.time.sleep", lambda seconds: None)
    return partial(
        fetch_file, site.file(), data_home=tmp_path, download_if_missing=True, n_retries=0
    )


def _kept(tmp_path):
    return [path.name for path in tmp_path.rglob("*") if path.is_file()]


def test_a_download_is_kept(site, fetch, tmp_path):
    path = fetch()
    assert path == tmp_path / "skmeta" / "data.zip"
    assert path.read_bytes() == CONTENT
    assert fetch() == fetch(download_if_missing=False) == path
    assert site.n_requests == 1
    assert _kept(tmp_path) == ["data.zip"]


@pytest.mark.parametrize(
    ("behaviour", "reason"), [("other", "hash"), ("cut off", "IncompleteRead"), ("gone", "404")]
)
def test_nothing_is_kept_of_a_bad_download(site, fetch, tmp_path, behaviour, reason):
    site.behaviour = behaviour
    with pytest.raises(OSError, match=f"(?s){reason}.*Nothing of it was kept.*skmeta/data.zip"):
        fetch()
    assert _kept(tmp_path) == []
    site.behaviour = "good"
    assert fetch().read_bytes() == CONTENT


def test_a_download_is_tried_again(site, fetch):
    site.behaviour = "fails once"
    assert fetch(n_retries=1).read_bytes() == CONTENT
    assert site.n_requests == 2


def test_retries_end(site, fetch):
    site.behaviour = "gone"
    with pytest.raises(OSError, match="404"):
        fetch(n_retries=2)
    assert site.n_requests == 3


def test_a_damaged_file_is_downloaded_again(site, fetch, tmp_path):
    path = tmp_path / "skmeta" / "data.zip"
    path.parent.mkdir()
    path.write_bytes(CONTENT[:100])
    with pytest.raises(OSError, match="is damaged, and download_if_missing is False"):
        fetch(download_if_missing=False)
    assert path.read_bytes() == CONTENT[:100]
    assert fetch().read_bytes() == CONTENT
    assert site.n_requests == 1


def test_a_failed_download_leaves_the_damaged_file_as_it_was(site, fetch, tmp_path):
    path = tmp_path / "skmeta" / "data.zip"
    path.parent.mkdir()
    path.write_bytes(b"old")
    site.behaviour = "other"
    with pytest.raises(OSError, match="could not be downloaded"):
        fetch()
    assert path.read_bytes() == b"old"


def test_without_a_connection(tmp_path):
    with serving(CONTENT) as site:
        file = site.file()
    fetch = partial(fetch_file, data_home=tmp_path, download_if_missing=True, n_retries=0)
    with pytest.raises(OSError, match="Without a connection, bring the file") as caught:
        fetch(file)
    path = tmp_path / "skmeta" / "data.zip"
    for needed in (file.url, str(path), file.sha256, "SCIKIT_LEARN_DATA"):
        assert needed in str(caught.value)
    path.write_bytes(CONTENT)  # do what it says
    assert fetch(file) == path


def test_missing_and_not_to_be_downloaded(site, fetch):
    with pytest.raises(OSError, match="is not there, and download_if_missing is False"):
        fetch(download_if_missing=False)
    assert site.n_requests == 0


def test_callers_at_once(fetch, tmp_path):
    with ThreadPoolExecutor(8) as pool:
        paths = list(pool.map(lambda _: fetch(), range(16)))
    assert {path.read_bytes() for path in paths} == {CONTENT}
    assert _kept(tmp_path) == ["data.zip"]


def test_the_folder_is_scikit_learns(site, tmp_path, monkeypatch):
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path / "elsewhere"))
    path = fetch_file(site.file(), data_home=None, download_if_missing=True, n_retries=0)
    assert path == tmp_path / "elsewhere" / "skmeta" / "data.zip"


def test_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pooch", None)
    file = RemoteFile("data.zip", "http://127.0.0.1:9/data.zip", hashlib.sha256().hexdigest())
    with pytest.raises(ImportError, match=r"needs pooch: `pip install 'skmeta\[fetch\]'`"):
        fetch_file(file, data_home=tmp_path, download_if_missing=True, n_retries=0)
    (tmp_path / "skmeta").mkdir(exist_ok=True)
    (tmp_path / "skmeta" / "data.zip").touch()
    assert fetch_file(file, data_home=tmp_path, download_if_missing=True, n_retries=0).exists()
