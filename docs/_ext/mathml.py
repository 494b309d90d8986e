"""Formulas as MathML, which browsers draw without any script: docutils' own converter does it."""

import re

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.util import logging

logger = logging.getLogger(__name__)

# The converter reads the 12 of `\frac12` as one number, where TeX reads two.
SHORT_FRACTION = re.compile(r"(\\[td]?frac)\s*(\\[A-Za-z]+|\w)\s*(\\[A-Za-z]+|\w)")


def visit_inline(translator, node):
    """Write a formula within a sentence."""
    translator.body.append(_mathml(node, as_block=False))
    raise nodes.SkipNode


def visit_block(translator, node):
    """Write a formula on a line of its own."""
    translator.body.append(f'<div class="formula">{_mathml(node, as_block=True)}</div>\n')
    raise nodes.SkipNode


def _mathml(node, as_block):
    formula = SHORT_FRACTION.sub(r"\1{\2}{\3}", node.astext())
    try:
        return tex2mathml(formula, as_block=as_block)
    except MathError as error:
        logger.warning("%s in %s", error, formula, location=node)
        return ""


def setup(app):
    """Register the renderer; `html_math_renderer = "mathml"` chooses it."""
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
