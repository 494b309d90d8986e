"""Neural meta-learners, in nothing but torch.

A neural meta-learner is a torch module with two methods: ``adapt(support) -> state`` learns the
tasks of a batch from their support rows, and ``forward(state, X, mask=None) -> output`` applies
what was learned to further rows. Both work on all tasks of the batch at once; tasks of different
sizes are padded, and masks say what is real (see :class:`Support`). The state is a dictionary of
tensors whose first axis is that of the tasks.
"""

from skmeta.nets._batch_norm import TaskBatchNorm
from skmeta.nets._bayesian_linear import BayesianLinear
from skmeta.nets._cholesky import cholesky
from skmeta.nets._convnet import ConvNet
from skmeta.nets._deep_kernel import DeepKernel
from skmeta.nets._episode import Episode, Learner
from skmeta.nets._functional import forward_shared, forward_tasks, initial_parameters
from skmeta.nets._gaussian import MarginalEpisode, gaussian_nll, joint_gaussian_nll
from skmeta.nets._linear_head import LinearHead
from skmeta.nets._losses import cross_entropy, mask_classes, masked_mean, squared_error
from skmeta.nets._maml import MAML
from skmeta.nets._mlp import MLP
from skmeta.nets._prototypes import PrototypeNet, squared_distances
from skmeta.nets._ridge_head import RidgeClassifierHead, RidgeHead
from skmeta.nets._row_table import compress_rows, row_table
from skmeta.nets._state import State, take_tasks
from skmeta.nets._support import Support
from skmeta.nets._weights import ClassWeight, weigh_classes

__all__ = [
    "MAML",
    "MLP",
    "BayesianLinear",
    "ClassWeight",
    "ConvNet",
    "DeepKernel",
    "Episode",
    "Learner",
    "LinearHead",
    "MarginalEpisode",
    "PrototypeNet",
    "RidgeClassifierHead",
    "RidgeHead",
    "State",
    "Support",
    "TaskBatchNorm",
    "cholesky",
    "compress_rows",
    "cross_entropy",
    "forward_shared",
    "forward_tasks",
    "gaussian_nll",
    "initial_parameters",
    "joint_gaussian_nll",
    "mask_classes",
    "masked_mean",
    "row_table",
    "squared_distances",
    "squared_error",
    "take_tasks",
    "weigh_classes",
]
