"""Covariance of what a task differs by from the pooled model, and its derivatives.

Between rows x and x' of one task, in columns that include the pooled model's prediction,

    k(x, x') = s(x) s(x') [c + sum_j l_j x_j x'_j + (u0 + u x)(u0 + u x') + a RQ(x, x') + n 1{same}]

with a random intercept c, random slopes l_j that share a factor u with the intercept, a smooth part
(rational quadratic, one length scale for each column), noise n, and an amplitude
log s(x) = b x. All are learned; a part whose variance comes out near zero is switched off.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]

# Keeps matrices invertible where targets hold no noise; in variances of the residuals.
_LEAST_NOISE = 1e-4
_MAX_LOG_SCALE = 3.0


class Slot(NamedTuple):
    """Where a parameter stands in the vector, and its normal prior there."""

    start: int
    size: int
    mean: float
    spread: float


class KernelLayout:
    """How the kernel's parameters lie in one vector.

    Variances are logarithms, relative to the variance of the residuals. The priors keep parameters
    that few tasks say little of near ordinary values, and pull the columns towards one another.

    Parameters
    ----------
    n_columns : int
    amplitude : bool
        Whether the residuals' scale may depend on the row, and whether there is noise: both hold
        for numbers, neither for logits.
    """

    def __init__(self, n_columns: int, amplitude: bool) -> None:
        d = n_columns
        self.n_columns, self.amplitude = d, amplitude
        specification = {
            "intercept": (1, -2.0, 2.0),
            "slope": (1, -3.0 - np.log(max(d, 1)), 2.0),
            "slope_of": (d, 0.0, 0.7),
            "factor": (d + 1, 0.0, 0.3),
            "smooth": (1, -2.0, 2.0),
            "length": (1, 0.0, 1.0),
            "length_of": (d, 0.0, 0.7),
            "mixing": (1, 1.0, 1.0),
        }
        if amplitude:
            specification["noise"] = (1, -0.6, 2.0)
            specification["amplitude"] = (d, 0.0, 0.15)
        self.slots: dict[str, Slot] = {}
        start = 0
        for name, (size, mean, spread) in specification.items():
            self.slots[name] = Slot(start, size, mean, spread)
            start += size
        self.size = start
        self.mean = np.concatenate([np.full(s.size, s.mean) for s in self.slots.values()])
        self.spread = np.concatenate([np.full(s.size, s.spread) for s in self.slots.values()])

    def start(self) -> Array:
        """Where learning begins: the prior mean, but a factor that is not zero (a saddle)."""
        theta = self.mean.copy()
        self.part(theta, "factor")[:] = 0.05
        return theta

    def part(self, theta: Array, name: str) -> Array:
        """View of one parameter in a vector."""
        slot = self.slots[name]
        return theta[slot.start : slot.start + slot.size]


class ResidualKernel:
    """The kernel with given parameters; rows come as stacks of shape (..., n_rows, n_columns).

    Parameters
    ----------
    layout : KernelLayout
    theta : ndarray of shape (layout.size,)
    """

    def __init__(self, layout: KernelLayout, theta: Array) -> None:
        def part(name: str) -> Array:
            return layout.part(theta, name)

        d = max(layout.n_columns, 1)
        self.layout = layout
        self.intercept = np.exp(part("intercept")[0])
        self.slopes = np.exp(part("slope")[0] + part("slope_of"))
        self.factor = part("factor")
        self.smooth = np.exp(part("smooth")[0])
        self.inverse_length = np.exp(-part("length")[0] - part("length_of")) / np.sqrt(d)
        self.mixing = np.exp(part("mixing")[0])
        self.noise = _LEAST_NOISE + np.exp(part("noise")[0]) if layout.amplitude else 0.0
        self.amplitude = part("amplitude") if layout.amplitude else None

    def scale(self, X: Array) -> Array:
        """Amplitude of rows, of shape (..., n_rows)."""
        if self.amplitude is None:
            return np.ones(X.shape[:-1])
        # Bounded: a row far from all training rows must not have an infinite variance.
        return np.exp(np.clip(X @ self.amplitude, -_MAX_LOG_SCALE, _MAX_LOG_SCALE))

    def __call__(self, A: Array, B: Array) -> Array:
        """Covariance of the noise-free values of two sets of rows."""
        shape = self._shape(A, B)[0]
        return shape * self.scale(A)[..., :, None] * self.scale(B)[..., None, :]

    def variance(self, A: Array) -> Array:
        """Variance of the noise-free value of each row, of shape (..., n_rows)."""
        linear = np.sum(A * A * self.slopes, axis=-1) + self._score(A) ** 2
        return (self.intercept + linear + self.smooth) * self.scale(A) ** 2

    def noise_variance(self, A: Array) -> Array:
        """Variance of the noise of each row, of shape (..., n_rows)."""
        return self.noise * self.scale(A) ** 2

    def pull_back(self, A: Array, gradient: Array) -> Array:
        """Derivative of a function of the noisy covariance of rows with themselves.

        Parameters
        ----------
        A : ndarray of shape (n_tasks, n_rows, n_columns)
        gradient : ndarray of shape (n_tasks, n_rows, n_rows)
            Derivatives by the covariances: symmetric, and zero where rows are padding.

        Returns
        -------
        derivatives : ndarray of shape (layout.size,)
        """
        result = np.zeros(self.layout.size)

        def part(name: str) -> Array:
            return self.layout.part(result, name)

        shape, base, power = self._shape(A, A)
        scale = self.scale(A)
        inner = gradient * scale[:, :, None] * scale[:, None, :]
        part("intercept")[:] = self.intercept * inner.sum()
        slopes = self.slopes * np.sum(A * (inner @ A), axis=(0, 1))
        part("slope")[:], part("slope_of")[:] = slopes.sum(), slopes
        pulled = 2 * (inner @ self._score(A)[:, :, None])[:, :, 0]
        part("factor")[0] = pulled.sum()
        part("factor")[1:] = np.einsum("tn,tnd->d", pulled, A)
        part("smooth")[:] = self.smooth * np.sum(inner * power)
        bent = self.smooth * inner * power / base
        # Sums over pairs of (a_j - b_j)^2, from sums over rows.
        ends = np.einsum("tnm,tnd->d", bent, A * A) + np.einsum("tnm,tmd->d", bent, A * A)
        lengths = (ends - 2 * np.sum(A * (bent @ A), axis=(0, 1))) * self.inverse_length**2
        part("length")[:], part("length_of")[:] = lengths.sum(), lengths
        curved = power * (self.mixing * (1 - 1 / base) - self.mixing * np.log(base))
        part("mixing")[:] = self.smooth * np.sum(inner * curved)
        if self.amplitude is not None:
            trace = np.einsum("tnn->tn", inner)
            part("noise")[:] = (self.noise - _LEAST_NOISE) * trace.sum()
            by_row = np.sum(inner * shape, axis=2) + self.noise * trace
            free = np.abs(A @ self.amplitude) < _MAX_LOG_SCALE
            part("amplitude")[:] = 2 * np.einsum("tn,tnd->d", by_row * free, A)
        return result

    def _score(self, A: Array) -> Array:
        return self.factor[0] + A @ self.factor[1:]

    def _shape(self, A: Array, B: Array) -> tuple[Array, Array, Array]:
        """The kernel without amplitude; the base and the power of its smooth part."""
        left, right = A * self.inverse_length, B * self.inverse_length
        squares = np.sum(left**2, -1)[..., :, None] + np.sum(right**2, -1)[..., None, :]
        distance = np.maximum(squares - 2 * left @ np.swapaxes(right, -1, -2), 0.0)
        base = 1 + distance / (2 * self.mixing)
        power = base**-self.mixing
        linear = (A * self.slopes) @ np.swapaxes(B, -1, -2)
        joint = self._score(A)[..., :, None] * self._score(B)[..., None, :]
        return self.intercept + linear + joint + self.smooth * power, base, power
