"""Pictures of what was learned, in the manner of scikit-learn's displays."""

from skmeta.inspection._good_values import GoodValuesDisplay
from skmeta.inspection._importance import HyperparameterImportanceDisplay

__all__ = ["GoodValuesDisplay", "HyperparameterImportanceDisplay"]
