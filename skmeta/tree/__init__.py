"""Trees and forests that tasks share, and how each task departs from them."""

from skmeta.tree._decision_tree import MetaDecisionTreeClassifier, MetaDecisionTreeRegressor
from skmeta.tree._export import export_text, plot_tree
from skmeta.tree._forest import MetaForestClassifier, MetaForestRegressor

__all__ = [
    "MetaDecisionTreeClassifier",
    "MetaDecisionTreeRegressor",
    "MetaForestClassifier",
    "MetaForestRegressor",
    "export_text",
    "plot_tree",
]
