"""Convolutional backbone."""

from itertools import pairwise

from torch import Tensor, nn

from skmeta.nets._batch_norm import TaskBatchNorm


class ConvNet(nn.Module):
    """The small convolutional network of the few-shot literature ("Conv4") [1]_ [2]_.

    Each block is a 3 x 3 convolution, a batch normalisation, a 2 x 2 max-pooling and a ReLU. Rows
    are flat, as scikit-learn keeps its inputs two-dimensional, and are turned into images inside.
    Batch normalisation is transductive by default: it uses the statistics of the rows at hand, and
    none are kept from training (see :class:`TaskBatchNorm`).

    Parameters
    ----------
    image_shape : tuple of int
        Channels, height and width of an image; a row has as many features as their product.
    n_outputs : int or None
        Number of outputs; None for the features that the last block computes.
    n_channels : int, default=64
        Number of channels of each block.
    n_blocks : int, default=4
        Number of blocks; each halves the height and the width.
    running_statistics : bool, default=False
        Whether to normalise as ordinary networks do, by the statistics of the meta-batch in
        training and their running averages afterwards. Better, and quicker, for an embedding that
        is the same for all tasks; where weights adapt to a task, its own statistics are used
        anyway.

    Raises
    ------
    ValueError
        If the image is too small for so many blocks.

    References
    ----------
    .. [1] Vinyals, Blundell, Lillicrap, Kavukcuoglu and Wierstra (2016). Matching networks for one
       shot learning. NeurIPS.
    .. [2] Finn, Abbeel and Levine (2017). Model-agnostic meta-learning for fast adaptation of deep
       networks. ICML.

    Examples
    --------
    >>> import torch
    >>> from skmeta.nets import ConvNet
    >>> rows = torch.zeros(2, 28 * 28)
    >>> ConvNet((1, 28, 28), n_outputs=5)(rows).shape
    torch.Size([2, 5])
    >>> ConvNet((1, 28, 28), n_outputs=None)(rows).shape
    torch.Size([2, 64])
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        n_outputs: int | None,
        n_channels: int = 64,
        n_blocks: int = 4,
        running_statistics: bool = False,
    ) -> None:
        super().__init__()
        n_inputs, height, width = image_shape
        n_pixels = (height >> n_blocks) * (width >> n_blocks)
        if n_pixels == 0:
            raise ValueError(
                f"image_shape must have a height and a width of at least {2**n_blocks} for "
                f"n_blocks={n_blocks}; got {tuple(image_shape)}."
            )
        self.image_shape = tuple(image_shape)
        channels = (n_inputs, *(n_channels for _ in range(n_blocks)))
        norm = nn.BatchNorm2d if running_statistics else TaskBatchNorm
        self.blocks = nn.Sequential(*(_block(*pair, norm) for pair in pairwise(channels)))
        n_features = channels[-1] * n_pixels
        self.head = nn.Identity() if n_outputs is None else nn.Linear(n_features, n_outputs)

    def forward(self, X: Tensor) -> Tensor:
        """Compute the outputs of flat images.

        Parameters
        ----------
        X : Tensor of shape (..., channels * height * width)
            Rows.

        Returns
        -------
        Tensor of shape (..., n_outputs)
            Outputs.
        """
        images = X.reshape(-1, *self.image_shape)
        output = self.head(self.blocks(images).flatten(start_dim=1))
        return output.reshape(*X.shape[:-1], output.shape[-1])


def _block(
    n_inputs: int, n_channels: int, norm: type[TaskBatchNorm | nn.BatchNorm2d]
) -> nn.Sequential:
    return nn.Sequential(
        # Without a bias, which the normalisation would take away again.
        nn.Conv2d(n_inputs, n_channels, kernel_size=3, padding=1, bias=False),
        norm(n_channels),
        # The same as a ReLU before the pooling, which would have four times the pixels.
        nn.MaxPool2d(2),
        nn.ReLU(),
    )
