"""Parts of a network that some learners adapt: its head, or its biases."""

from torch import nn

from skmeta.nets._convnet import ConvNet
from skmeta.nets._functional import with_task_statistics
from skmeta.nets._mlp import MLP


def split_head(network: nn.Module) -> tuple[nn.Module | None, nn.Module]:
    """Split a network into its last linear layer and what comes before it.

    Parameters
    ----------
    network : Module
        Network to split, which is left as it is.

    Returns
    -------
    body : Module or None
        What computes the inputs of the head, and shares its parameters with the network. None where
        it is not known how to split: only an :class:`MLP`, a :class:`ConvNet` and a
        :class:`torch.nn.Sequential` that ends in a linear layer can be.
    head : Module
        The last linear layer; the whole network if there is no body.

    Examples
    --------
    >>> import torch
    >>> from skmeta.nets import MLP, split_head
    >>> body, head = split_head(MLP(n_inputs=3, n_outputs=2))
    >>> body(torch.zeros(10, 3)).shape, head
    (torch.Size([10, 40]), Linear(in_features=40, out_features=2, bias=True))
    """
    body = with_task_statistics(network)  # a copy, but not of the parameters
    owner, name = body, "head"
    if isinstance(body, MLP):
        owner, name = body.layers, str(len(body.layers) - 1)
    elif isinstance(body, nn.Sequential) and len(body):
        name = str(len(body) - 1)
    elif not isinstance(body, ConvNet):
        return None, network
    head = owner.get_submodule(name)
    if not isinstance(head, nn.Linear):
        return None, network
    setattr(owner, name, nn.Identity())
    return body, head


def last_layer_names(network: nn.Module) -> list[str]:
    """Name the parameters of the layer that comes last among those that have any.

    Parameters
    ----------
    network : Module
        Any module; its layers are those that hold parameters themselves, in the order in which
        they were assigned.

    Returns
    -------
    list of str
        Names as in :meth:`torch.nn.Module.named_parameters`.

    Examples
    --------
    >>> import torch
    >>> from skmeta.nets import last_layer_names
    >>> last_layer_names(torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Linear(3, 1)))
    ['1.weight', '1.bias']
    """
    names = [name for name, param in network.named_parameters() if param.requires_grad]
    return [name for name in names if _layer(name) == _layer(names[-1])]


def bias_names(network: nn.Module) -> list[str]:
    """Name the additive offsets of a network: the biases of its layers, normalisations included.

    Parameters
    ----------
    network : Module
        Any module.

    Returns
    -------
    list of str
        Names as in :meth:`torch.nn.Module.named_parameters`.

    Examples
    --------
    >>> from skmeta.nets import MLP, bias_names
    >>> bias_names(MLP(n_inputs=3, n_outputs=2))
    ['layers.0.bias', 'layers.1.bias', 'layers.2.bias']
    """
    named = network.named_parameters()
    return [n for n, p in named if n.rpartition(".")[2] == "bias" and p.requires_grad]


def _layer(name: str) -> str:
    return name.rpartition(".")[0]
