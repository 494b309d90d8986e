"""Neural meta-learners, in nothing but torch.

A neural meta-learner is a torch module with two methods: ``adapt(support) -> state`` learns the
tasks of a batch from their support rows, and ``forward(state, X, mask=None) -> output`` applies
what was learned to further rows. Both work on all tasks of the batch at once; tasks of different
sizes are padded, and masks say what is real (see :class:`Support`). The state is a dictionary of
tensors whose first axis is that of the tasks.
"""

from skmeta.nets._batch_norm import TaskBatchNorm
from skmeta.nets._bayesian_linear import BayesianLinear
from skmeta.nets._bayesian_maml import BayesianMAML
from skmeta.nets._cholesky import cholesky
from skmeta.nets._class_means import ClassMeanLearner
from skmeta.nets._class_slots import class_members
from skmeta.nets._compiled import CompilationWarning, CompiledEpisode
from skmeta.nets._conjugate_gradients import conjugate_gradients
from skmeta.nets._context import ContextNet
from skmeta.nets._convnet import ConvNet
from skmeta.nets._crammer_singer import crammer_singer_dual
from skmeta.nets._deep_kernel import DeepKernel
from skmeta.nets._dirichlet_kernel import DirichletKernel
from skmeta.nets._dual_head import DualHead
from skmeta.nets._embedding import EmbeddingLearner
from skmeta.nets._episode import Episode, Learner
from skmeta.nets._expected_softmax import expected_softmax
from skmeta.nets._functional import (
    forward_shared,
    forward_tasks,
    initial_parameters,
    parameter_shapes,
    with_task_statistics,
)
from skmeta.nets._gaussian import MarginalEpisode, gaussian_nll, joint_gaussian_nll
from skmeta.nets._head import bias_names, last_layer_names, split_head
from skmeta.nets._hyper import HyperNet
from skmeta.nets._imaml import IMAML
from skmeta.nets._in_context import InContextNet
from skmeta.nets._inner_sgd import InnerOptimizer, InnerSGD, LearnedRate
from skmeta.nets._kernels import SpectralMixture
from skmeta.nets._laplace_kernel import LaplaceKernel
from skmeta.nets._linear_head import LinearHead
from skmeta.nets._logistic_head import LogisticHead
from skmeta.nets._losses import cross_entropy, mask_classes, masked_mean, squared_error
from skmeta.nets._maml import MAML
from skmeta.nets._matching import MatchingNet
from skmeta.nets._mixture import GaussianNoise, mixture_cross_entropy, mixture_gaussian_nll
from skmeta.nets._mlp import MLP
from skmeta.nets._multi_step import MultiStepEpisode, step_weights
from skmeta.nets._neural_process import NeuralProcess
from skmeta.nets._offset import Offset
from skmeta.nets._one_by_one import one_by_one, trains_one_by_one
from skmeta.nets._prototypes import PrototypeNet, squared_distances
from skmeta.nets._recurrent_optimizer import RecurrentOptimizer, log_and_sign
from skmeta.nets._relation import RelationNet
from skmeta.nets._reptile import ReptileEpisode
from skmeta.nets._ridge_head import RidgeClassifierHead, RidgeHead
from skmeta.nets._row_attention import RowAttention, log_weights
from skmeta.nets._row_table import compress_rows, row_table
from skmeta.nets._set_encoders import AttentionEncoder, MeanEncoder, TransformerEncoder
from skmeta.nets._softmax_dual import softmax_dual
from skmeta.nets._state import State, take_tasks, with_precision
from skmeta.nets._support import Support
from skmeta.nets._support_batch import support_batch
from skmeta.nets._svm_head import SVMHead
from skmeta.nets._table_transformer import TableTransformer
from skmeta.nets._target_code import CodedLearner, NumberCode, OwnClassCode, SharedClassCode
from skmeta.nets._task_gradients import task_gradients, task_losses
from skmeta.nets._weights import ClassWeight, weigh_classes

__all__ = [
    "IMAML",
    "MAML",
    "MLP",
    "AttentionEncoder",
    "BayesianLinear",
    "BayesianMAML",
    "ClassMeanLearner",
    "ClassWeight",
    "CodedLearner",
    "CompilationWarning",
    "CompiledEpisode",
    "ContextNet",
    "ConvNet",
    "DeepKernel",
    "DirichletKernel",
    "DualHead",
    "EmbeddingLearner",
    "Episode",
    "GaussianNoise",
    "HyperNet",
    "InContextNet",
    "InnerOptimizer",
    "InnerSGD",
    "LaplaceKernel",
    "LearnedRate",
    "Learner",
    "LinearHead",
    "LogisticHead",
    "MarginalEpisode",
    "MatchingNet",
    "MeanEncoder",
    "MultiStepEpisode",
    "NeuralProcess",
    "NumberCode",
    "Offset",
    "OwnClassCode",
    "PrototypeNet",
    "RecurrentOptimizer",
    "RelationNet",
    "ReptileEpisode",
    "RidgeClassifierHead",
    "RidgeHead",
    "RowAttention",
    "SVMHead",
    "SharedClassCode",
    "SpectralMixture",
    "State",
    "Support",
    "TableTransformer",
    "TaskBatchNorm",
    "TransformerEncoder",
    "bias_names",
    "cholesky",
    "class_members",
    "compress_rows",
    "conjugate_gradients",
    "crammer_singer_dual",
    "cross_entropy",
    "expected_softmax",
    "forward_shared",
    "forward_tasks",
    "gaussian_nll",
    "initial_parameters",
    "joint_gaussian_nll",
    "last_layer_names",
    "log_and_sign",
    "log_weights",
    "mask_classes",
    "masked_mean",
    "mixture_cross_entropy",
    "mixture_gaussian_nll",
    "one_by_one",
    "parameter_shapes",
    "row_table",
    "softmax_dual",
    "split_head",
    "squared_distances",
    "squared_error",
    "step_weights",
    "support_batch",
    "take_tasks",
    "task_gradients",
    "task_losses",
    "trains_one_by_one",
    "weigh_classes",
    "with_precision",
    "with_task_statistics",
]
