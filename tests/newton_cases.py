"""Generalised linear models for the laws of `newton_sketch`, and the laws themselves."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit
from sklearn.datasets import load_breast_cancer, load_digits

from rnla.lstsq import newton_sketch

METHODS = ["sketch", "subsample", "exact"]


@dataclass(frozen=True)
class Model:
    """A loss ``sum phi(a_i x)`` with a penalty; its functions include the penalty."""

    A: Any
    y: Any
    penalty: Any
    family: str = "logistic"

    def losses(self, x):
        z = self.A @ x
        if self.family == "logistic":
            return np.logaddexp(0, -(2 * self.y - 1) * z)
        return np.exp(z) - self.y * z

    def slopes(self, x):
        z = self.A @ x
        if self.family == "logistic":
            s = 2 * self.y - 1
            return -s * expit(-s * z)
        return np.exp(z) - self.y

    def weights(self, x):
        z = self.A @ x
        return expit(z) * expit(-z) if self.family == "logistic" else np.exp(z)

    def loss(self, x):
        return self.losses(x).sum()

    def loss_gradient(self, x):
        return self.A.T @ self.slopes(x)

    def hessian_root(self, x):
        root = np.sqrt(self.weights(x))[:, None]
        return root * self.A if isinstance(self.A, np.ndarray) else self.A.multiply(root)

    def objective(self, x):
        return self.loss(x) + 0.5 * np.sum((self.penalty * x) ** 2)

    def gradient(self, x):
        return self.loss_gradient(x) + self.penalty**2 * x

    def solve(self, **options):
        """Run `newton_sketch` on this model."""
        options.setdefault("x0", np.zeros(self.A.shape[1]))
        options.setdefault("objective", self.loss)
        options.setdefault("damp", self.penalty)
        return newton_sketch(self.loss_gradient, self.hessian_root, **options)

    def newton(self, x):
        """Full Newton steps with Householder QR of the true root, halved while F rises."""
        last = np.inf
        for _ in range(60):
            R = np.linalg.qr(np.vstack([self.hessian_root(x), np.diag(self.penalty)]))[1]
            step = -np.linalg.solve(R, np.linalg.solve(R.T, self.gradient(x)))
            length = 1.0
            noise = 1e-14 * abs(self.objective(x))
            while not self.objective(x + length * step) <= self.objective(x) + noise:
                length /= 2
            x = x + length * step
            # Once it no longer falls, the decrement is rounding.
            size = np.linalg.norm(R @ step)
            if size**2 <= noise and size > 0.5 * last:
                break
            last = size
        return x

    def decrement(self, x):
        """Newton decrement at x, from QR of the true root."""
        R = np.linalg.qr(np.vstack([self.hessian_root(x), np.diag(self.penalty)]))[1]
        return np.linalg.norm(np.linalg.solve(R.T, self.gradient(x)))


def breast_cancer():
    X, y = load_breast_cancer(return_X_y=True)
    return _with_intercept(X, y)


def digits():
    X, y = load_digits(return_X_y=True)
    return _with_intercept(X, y % 2)


def badly_scaled(rng, m=8000, n=50):
    scale = np.logspace(-4, 4, n)
    A = rng.standard_normal((m, n)) @ (np.eye(n) + rng.standard_normal((n, n)) / 2)
    x = rng.standard_normal(n) / 10
    y = rng.random(m) < expit(A @ x)
    return Model(A * scale, y.astype(float), np.ones(n))


def poisson(rng, m=4000, n=20):
    A = 0.5 * rng.standard_normal((m, n))
    y = rng.poisson(np.exp(A @ np.full(n, 0.5)))
    return Model(A, y.astype(float), np.full(n, 0.1), "poisson")


def _with_intercept(X, y):
    A = np.column_stack([X, np.ones(len(X))])
    return Model(A, y.astype(float), np.append(np.ones(X.shape[1]), 0.0))


def assert_optimal(model, x, best):
    """The law: as low as the best known point, and a decrement at the level of rounding.

    The decrement is that of the entries of x changed in their last digits.
    """
    value, least = model.objective(x), model.objective(best)
    assert value - least <= 1e-10 * abs(least), "objective"
    norms = np.hypot(np.linalg.norm(model.hessian_root(x), axis=0), model.penalty)
    size = np.sqrt(2 * abs(value)) + norms @ np.abs(x)
    assert model.decrement(x) <= 50 * np.finfo(float).eps * size, "decrement"


def small_logistic(rng, m=1500, n=12):
    A = rng.standard_normal((m, n))
    y = rng.random(m) < expit(A @ rng.standard_normal(n) / np.sqrt(n))
    return Model(A, y.astype(float), np.full(n, 0.5))
