"""What a row says of the value of the tree at it: a number with noise, or one of two classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

Array = NDArray[np.floating]


@dataclass(frozen=True)
class Gaussian:
    """A number: the value of the tree and normal noise."""

    noise_variance: float
    is_quadratic: ClassVar[bool] = True

    def log_density(self, y: Array, f: Array) -> Array:
        """Logarithm of the density of `y`, elementwise."""
        return -0.5 * ((y - f) ** 2 / self.noise_variance + np.log(2 * np.pi * self.noise_variance))

    def derivatives(self, y: Array, f: Array) -> tuple[Array, Array, Array]:
        """First, negative second and third derivative of the log density."""
        curvature = np.full_like(f, 1 / self.noise_variance)
        return (y - f) / self.noise_variance, curvature, np.zeros_like(f)


@dataclass(frozen=True)
class Bernoulli:
    """One of two classes: the value of the tree is the log odds of the second."""

    is_quadratic: ClassVar[bool] = False

    def log_density(self, y: Array, f: Array) -> Array:
        """Logarithm of the probability of `y`, elementwise."""
        return y * f - np.logaddexp(0, f)

    def derivatives(self, y: Array, f: Array) -> tuple[Array, Array, Array]:
        """First, negative second and third derivative of the log probability."""
        p = expit(f)
        curvature = p * (1 - p)
        return y - p, curvature, curvature * (2 * p - 1)


Likelihood = Gaussian | Bernoulli
