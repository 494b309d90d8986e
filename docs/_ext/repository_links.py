"""Links to examples lead to the gallery; on a code host they lead to the script itself."""

import re

GALLERY_LINK = re.compile(r"\]\((?:\.\./)+examples/(plot_\w+)\.py\)")


def lead_to_gallery(app, docname, source):
    """Replace links to scripts that are pages of the gallery."""
    up = "../" * docname.count("/")
    source[0] = GALLERY_LINK.sub(rf"]({up}gallery/\1.rst)", source[0])


def setup(app):
    """Rewrite pages as they are read."""
    app.connect("source-read", lead_to_gallery)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
