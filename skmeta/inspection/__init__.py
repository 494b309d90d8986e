"""Pictures of what was learned, in the manner of scikit-learn's displays."""

from skmeta.inspection._adaptation_curve import AdaptationCurveDisplay
from skmeta.inspection._good_values import GoodValuesDisplay
from skmeta.inspection._importance import HyperparameterImportanceDisplay
from skmeta.inspection._search_progress import SearchProgressDisplay
from skmeta.inspection._shrinkage import ShrinkageDisplay
from skmeta.inspection._task_calibration import TaskCalibrationDisplay
from skmeta.inspection._task_errors import TaskErrorDisplay

__all__ = [
    "AdaptationCurveDisplay",
    "GoodValuesDisplay",
    "HyperparameterImportanceDisplay",
    "SearchProgressDisplay",
    "ShrinkageDisplay",
    "TaskCalibrationDisplay",
    "TaskErrorDisplay",
]
