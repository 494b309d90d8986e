"""Types of attributes may name other attributes, as in `ndarray of shape (n_features_in_,)`.

reStructuredText would take the underscore at the end of such a name for a link.
"""

import re

PARAMETER = re.compile(r"(?P<name>\s*(?:\*\*|:obj:`).*?(?:\*\*|`) : )(?P<type>.*)")
ENDS_IN_UNDERSCORE = re.compile(r"(?<=\w)_(?!\w)")


def escape_types(app, what, name, obj, options, lines):
    """Escape underscores in the types that numpydoc has written."""
    for i, line in enumerate(lines):
        if match := PARAMETER.fullmatch(line):
            lines[i] = match["name"] + ENDS_IN_UNDERSCORE.sub(r"\\_", match["type"])


def setup(app):
    """Run after numpydoc."""
    app.connect("autodoc-process-docstring", escape_types, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
