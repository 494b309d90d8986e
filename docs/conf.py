"""How Sphinx builds the site: `sphinx-build -W --keep-going -b html docs docs/_build/html`.

Nothing is downloaded, neither while the site is built nor while it is read: no inventories of other
projects, no fonts or scripts of other servers. Formulas are MathML, which browsers draw themselves.
"""

import os
import sys
from pathlib import Path

import skmeta

sys.path.insert(0, str(Path(__file__).parent / "_ext"))
# Examples run two at a time, in processes of their own, each with one thread.
os.environ.setdefault("OMP_NUM_THREADS", "1")

project = "skmeta"
author = "the skmeta developers"
copyright = author
version = release = skmeta.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_gallery.gen_gallery",
    # ours, in docs/_ext
    "api_pages",
    "docstring_types",
    "mathml",
    "measured_pictures",
    "repository_links",
]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
exclude_patterns = ["_build", "_ext", "_templates", "api/pages/backreferences", "gallery/*.py"]
templates_path = ["_templates"]
default_role = "code"  # single backticks in docstrings, as in Markdown
nitpicky = False  # types are described in words
smartquotes = False  # quotes in types are those of code
toc_object_entries_show_parents = "hide"

# Pages
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
html_math_renderer = "mathml"

# Reference
autodoc_typehints = "none"  # numpydoc's sections give them in words
autodoc_member_order = "bysource"
numpydoc_show_class_members = False  # the templates list methods
numpydoc_class_members_toctree = False

# Gallery
sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "filename_pattern": r"/plot_",
    "ignore_pattern": r"(own_learner|few_shot_table)\.py",
    "backreferences_dir": "api/pages/backreferences",
    "doc_module": ("skmeta",),
    "reference_url": {"skmeta": None},
    "parallel": 2,
    "write_computation_times": False,
    "remove_config_comments": True,
    "show_signature": False,
    "download_all_examples": False,
}

# Looks
html_theme = "pydata_sphinx_theme"
html_title = "skmeta"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
html_sidebars = {name: [] for name in ("index", "tour", "mathematics", "measured", "changelog")}
html_theme_options = {
    "logo": {"text": "skmeta"},
    "navbar_align": "left",
    "navbar_end": ["theme-switcher"],
    "header_links_before_dropdown": 7,
    "secondary_sidebar_items": ["page-toc"],
    "show_toc_level": 2,
    "footer_start": ["copyright"],
    "footer_end": [],
}
