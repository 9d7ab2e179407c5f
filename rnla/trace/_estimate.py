"""What the estimators return: a value and how far to trust it."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from rnla._core.checks import check_positive_float
from rnla._core.status import Status

# Of equal samples although the next one may differ; then nothing is known of their spread.
_BY_CHANCE = 0.05


class ConfidenceInterval(NamedTuple):
    """Lower and upper end of a confidence interval.

    Attributes
    ----------
    low, high : float, complex or ndarray
        Of the type of the estimate; for complex numbers two corners of a rectangle.
    """

    low: Any
    high: Any


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Estimate:
    """An unbiased estimate with its standard error.

    Attributes
    ----------
    value : float, complex or ndarray
        The estimate.
    stderr : float or ndarray
        Its estimated standard error, for complex values that of the modulus; a floor for rounding
        is part of it. It is an estimate itself, from few samples.
    bias : float or ndarray
        Size of a systematic error that no averaging removes, such as that of a quadrature; 0 for
        unbiased estimators. The confidence interval is wider by it.
    n_matvec : int
        Products with A and its adjoint, one per vector.
    method : str
        What was really run, short cuts such as "exact" included.
    status : Status
        Why it stopped; ``status.value`` says what to do next.
    message : str
        One sentence: what happened and what to do next.
    confidence : float
        Default level of `confidence_interval`.
    degrees_of_freedom : float
        Of Student's distribution that the interval uses; infinite where the standard error is
        not from samples.
    samples : ndarray or None
        The numbers that `value` averages, where they are numbers and few.
    history : ndarray, shape (rounds, 2)
        Products and standard error after each round of an adaptive run; else one row.
    source : object
        The matrix with its products, for ``previous=``: a reference, and None after pickling.
    """

    value: Any
    stderr: Any
    bias: Any = 0.0
    n_matvec: int
    method: str
    status: Status
    message: str = field(repr=False)
    confidence: float = 0.95
    degrees_of_freedom: float = np.inf
    samples: NDArray[Any] | None = field(default=None, repr=False)
    history: NDArray[np.float64] = field(repr=False)
    source: Any = field(default=None, repr=False)

    def __reduce__(self) -> tuple[Any, ...]:
        values = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        return partial(type(self), **(values | {"source": None})), ()

    @property
    def success(self) -> bool:
        """Whether the tolerance was met, or there was none."""
        return self.status.met_tolerance

    def confidence_interval(self, confidence_level: float | None = None) -> ConfidenceInterval:
        """Return the interval ``value ± (t stderr + bias)`` with t Student's quantile.

        Parameters
        ----------
        confidence_level : float, optional
            In [0, 1). Default: `confidence` of the call that made the estimate.

        Returns
        -------
        ConfidenceInterval
            With ``.low`` and ``.high``; for complex values corners of a rectangle.
        """
        radius = self.radius(confidence_level)
        if np.iscomplexobj(self.value):
            radius = radius * (1 + 1j)
        return ConfidenceInterval(self.value - radius, self.value + radius)

    def radius(self, confidence_level: float | None = None) -> Any:
        """Return half the length of the confidence interval.

        Parameters
        ----------
        confidence_level : float, optional
            In [0, 1). Default: `confidence` of the call that made the estimate.

        Returns
        -------
        float or ndarray
            Not negative.
        """
        level = self.confidence
        if confidence_level is not None:
            level = check_positive_float(confidence_level, "confidence_level", below=1.0)
        return student(level, self.degrees_of_freedom) * self.stderr + self.bias


def student(level: float, degrees_of_freedom: float) -> float:
    """Return the two-sided quantile of Student's distribution.

    Parameters
    ----------
    level : float
        Probability inside, in [0, 1).
    degrees_of_freedom : float
        Positive; infinite for the normal distribution, 0 if there is one sample: then infinite.

    Returns
    -------
    float
        The quantile.
    """
    if degrees_of_freedom <= 0:
        return np.inf
    # stdtrit(inf, p) is the normal quantile, but not in every release of SciPy.
    return float(stdtrit(min(degrees_of_freedom, 1e9), 0.5 + 0.5 * level))


def agreement_counts(count: int, degree: int) -> bool:
    """Return whether so many equal samples are evidence that others would be equal, too.

    A polynomial of degree d in random signs that is not constant takes any one value with a
    probability of at most ``1 - 2**-d``: samples that agree may do so by chance.

    Parameters
    ----------
    count : int
        Samples, all of one value, from independent vectors of signs.
    degree : int
        Of a sample in the entries: 2 for a quadratic form, 1 for an entry of a product.

    Returns
    -------
    bool
        Whether that has a probability below 5 %: from 6 samples on for degree 1, 11 for 2.
    """
    most = 1 - 0.5**degree
    return most**count + (1 - most) ** count < _BY_CHANCE


def honest_stderr(stderr: float, floor: float, count: int, degree: int, kind: str) -> float:
    """Return a standard error, infinite where samples agree and that may be by chance.

    Parameters
    ----------
    stderr : float
        From the spread of the samples.
    floor : float
        Rounding errors: samples agree if it is no larger.
    count, degree : int
        As for `agreement_counts`.
    kind : str
        Of the test vectors; all but signs are from continuous laws, and never agree by chance.

    Returns
    -------
    float
        Infinite where nothing is known of the spread.
    """
    doubtful = kind == "signs" and stderr <= floor and not agreement_counts(count, degree)
    return np.inf if doubtful else stderr


def mean_and_stderr(samples: NDArray[Any]) -> tuple[Any, float]:
    """Return the mean of samples and its standard error, without overflow.

    Parameters
    ----------
    samples : ndarray, shape (k,)
        At least one; real or complex.

    Returns
    -------
    mean : float or complex
        Their mean.
    stderr : float
        ``sqrt(sum |x_i - mean|^2 / (k (k - 1)))``; infinite for one sample.
    """
    k = len(samples)
    scale = float(np.max(np.abs(samples), initial=0.0))
    if scale == 0:
        return samples.dtype.type(0).item(), 0.0 if k > 1 else np.inf
    scaled = samples / scale
    mean = scaled.mean()
    spread = np.inf if k < 2 else float(np.linalg.norm(scaled - mean)) / np.sqrt(k * (k - 1.0))
    return (mean * scale).item(), spread * scale
