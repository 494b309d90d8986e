"""A web server on this machine, and small files in the format of the public ones."""

import hashlib
import io
import threading
import zipfile
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
from PIL import Image

from skmeta.datasets._remote import RemoteFile


class Site:
    """Serves `content`; `behaviour` says how well."""

    def __init__(self, content):
        self.content, self.behaviour, self.n_requests = content, "good", 0
        self.url = None

    def file(self, name="data.zip"):
        return RemoteFile(name, f"{self.url}/{name}", hashlib.sha256(self.content).hexdigest())

    def answer(self, request):
        self.n_requests += 1
        behaviour = self.behaviour
        if behaviour == "fails once":
            self.behaviour, behaviour = "good", "cut off"
        if behaviour == "gone":
            request.send_error(404)
            return
        content = {
            "good": self.content,
            "other": self.content[::-1],
            "cut off": self.content[: len(self.content) // 2],
        }[behaviour]
        request.send_response(200)
        request.send_header("Content-Length", str(len(self.content)))
        request.end_headers()
        request.wfile.write(content)


@contextmanager
def serving(content):
    """A site that serves `content` while the context lasts."""
    site = Site(content)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            site.answer(self)

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    site.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def as_zip(files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def omniglot_zip(subset="background"):
    """Two alphabets of two and three characters, each drawn twice: a stroke at another height."""
    files = {f"images_{subset}/": "", f"__MACOSX/images_{subset}/Greek/character01/x.png": "none"}
    for alphabet, n_characters in {"Greek": 2, "Arcadian": 3}.items():
        for character in range(1, n_characters + 1):
            for drawer in (1, 2):
                pixels = np.ones((105, 105), dtype=bool)
                pixels[15 * character : 15 * character + 15, drawer:-10] = False
                buffer = io.BytesIO()
                Image.fromarray(pixels).save(buffer, "png")
                name = f"{alphabet}/character{character:02}/0001_{drawer:02}.png"
                files[f"images_{subset}/{name}"] = buffer.getvalue()
    return as_zip(files)


def movielens_zip():
    """Two users and three films, one of which has a quote in its title and one no date."""
    films = [
        '1|Toy "Story" (1995)|01-Jan-1995||http://x|0|1|0',
        "2|Café (1994)|14-Feb-1994||http://y|0|0|1",
        "3|unknown||||1|0|0",
    ]
    return as_zip(
        {
            "ml-100k/u.data": "2\t1\t5\t880\n1\t3\t2\t900\n1\t2\t4\t870\n2\t2\t1\t881\n",
            "ml-100k/u.user": "1|24|M|technician|85711\n2|53|F|other|94043\n",
            "ml-100k/u.genre": "unknown|0\nAction|1\nDrama|2\n\n",
            "ml-100k/u.item": "\n".join(films).encode("latin-1"),
        }
    )
