"""Write the pages of the reference from the lists of `api_reference.py`."""

import inspect
from importlib import import_module
from pathlib import Path

from api_reference import REFERENCE


def write_pages(app, config):
    """One page with a table of names for each part; autosummary writes those of the names."""
    folder = Path(app.srcdir) / "api"
    folder.mkdir(exist_ok=True)
    for part in REFERENCE:
        _write(folder / f"{part.page}.rst", _page(part))
    # By name, since what Sphinx remembers of an earlier build lacks a page that is new.
    config.autosummary_generate = [f"api/{part.page}.rst" for part in REFERENCE]


def _page(part):
    lines = [part.title, "=" * len(part.title), "", part.text, ""]
    for section in part.sections:
        lines += [section.title, "-" * len(section.title), ""]
        lines += [f".. currentmodule:: {section.module}", ""]
        lines += [".. autosummary::", "   :toctree: pages", "   :nosignatures:", ""]
        lines += [f"   {name}" for name in section.names]
        lines += [""]
    return "\n".join(lines)


def _write(path, text):
    """Leave a file as it is that would not change, so that Sphinx need not read it again."""
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


def own_methods(cls):
    """Public methods of a class that are written in skmeta, those of its base classes included."""
    members = {name: getattr(cls, name) for base in reversed(cls.__mro__) for name in vars(base)}
    return [
        name
        for name, member in members.items()
        if not name.startswith("_")
        and inspect.isroutine(member)
        and (getattr(member, "__module__", None) or "").startswith("skmeta")
    ]


def methods_by_class():
    """What the template of a class looks up by its full name."""
    named = {
        f"{section.module}.{name}": getattr(import_module(section.module), name)
        for part in REFERENCE
        for section in part.sections
        for name in section.names
    }
    return {name: own_methods(thing) for name, thing in named.items() if inspect.isclass(thing)}


def setup(app):
    """Write the pages before Sphinx looks for sources and autosummary for its tables."""
    app.connect("config-inited", write_pages)
    app.config.autosummary_context = {"own_methods": methods_by_class()}
    return {"parallel_read_safe": True, "parallel_write_safe": True}
