"""Newton's method as a generator of states; `rnla._core.driver` runs it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rnla._core.driver import Iteration, State
from rnla.lstsq._newton_problem import Point, Problem, Root, Vector
from rnla.lstsq._newton_surrogate import Surrogate

# Largest and smallest relative residual asked of the Newton equations.
_FORCING = 0.1
_FORCING_LEAST = 1e-8
_CG_CAP = 100
# Curvature of a preconditioned direction, about 1, that counts as none.
_FLAT_CURVATURE = 1e-14
# A preconditioner that makes conjugate gradients contract faster than this serves once more.
_KEEP_RATE = 0.6
_ARMIJO = 1e-4
# A change of the objective by this many of its roundoffs is none.
_NOISE = 5
_SLOPE_LEFT = 0.5
_HALVINGS = 60
_FLAT_STEPS = 2
# Roundoffs to which the decrement is driven, and which a stalled one must have reached.
AIM = 1
ACCEPTED = 1000


@dataclass(frozen=True)
class NewtonState(State):
    """A state of Newton's method, as callbacks see it.

    Attributes
    ----------
    objective : float or None
        The penalised objective at `x`.
    decrement : float
        Half the squared Newton decrement.
    gradient_norm : float
        Norm of the gradient of the penalised objective.
    """

    objective: float | None = None
    decrement: float = np.nan
    gradient_norm: float = np.nan


@dataclass(frozen=True)
class _Step:
    """A solution of the Newton equations and what it cost; residuals in the coordinates of P."""

    direction: Vector
    decrement: float  # estimate of sqrt(g.T H^-1 g)
    before: Vector
    after: Vector
    rate: float


def newton(problem: Problem, start: Point, surrogate: Surrogate, tolerance: float) -> Iteration:
    """Yield the states of inexact Newton with a sketched preconditioner.

    Each step solves ``H dx = -g``, H and g those of the true problem at x, by conjugate gradients
    preconditioned with the factor of a sketch, to the relative residual of Eisenstat and Walker's
    first choice [1]_, and moves along dx by a line search.

    Parameters
    ----------
    problem : Problem
        The functions.
    start : Point
        Where to begin.
    surrogate : Surrogate
        Makes the preconditioner.
    tolerance : float
        Relative decrement that is wanted: the equations are solved no further than it needs.

    Yields
    ------
    NewtonState
        After the start and every step, each certified by the true gradient and Hessian.

    References
    ----------
    .. [1] S. C. Eisenstat, H. F. Walker, "Choosing the forcing terms in an inexact Newton method",
       SIAM J. Sci. Comput. 17 (1996), 16-32.
    """
    point, n_iter, flat, smallest = start, 0, 0, np.inf
    forcing, first, P = _FORCING, None, None
    while True:
        root = problem.root(point.x)
        if not root.norms.any():
            # Without any curvature there is neither a step nor a certificate.
            yield _state(n_iter, point, np.inf, np.nan)
            return
        if P is None:
            P = surrogate.preconditioner(root)
        step = _solve(root, P, point.gradient, forcing)
        problem.n_matvec += root.n_matvec
        decrement = max(step.decrement, _slopes(point, root))
        first = decrement if first is None else first
        level = _level(problem.eps, point, root, first, start)
        error = level.relative(decrement, tolerance)
        stop = yield _state(n_iter, point, error, 0.5 * decrement**2)
        near = level.hides(decrement)
        flat = flat + 1 if near and error > 0.5 * smallest else 0
        smallest = min(smallest, error)
        if stop or flat >= _FLAT_STEPS:
            return
        found = _search(problem, point, step.direction, near, level.noise)
        if found is None:
            return
        moved, length = found
        n_iter += 1
        forcing = _forcing(P, step, moved, length, root)
        point = moved
        if length < 1 or step.rate > _KEEP_RATE:
            P = None


@dataclass(frozen=True)
class _Level:
    """What a decrement is compared with: the objective, and what rounding makes of it and of x."""

    eps: float
    objective: float
    span: float

    def relative(self, decrement: float, tolerance: float) -> float:
        """Return the relative decrement: `tolerance` where F or AIM roundoffs of x explain it."""
        share = min(1.0, AIM * self.eps / tolerance) if tolerance > 0 else 1.0
        size = self.objective + share * self.span
        if decrement == 0:
            return 0.0
        return decrement / size if size > 0 and np.isfinite(decrement) else np.inf

    @property
    def noise(self) -> float:
        """Rounding error of the objective, that of x carried through it included."""
        return _NOISE * self.eps * self.objective * (self.objective + self.span)

    def hides(self, decrement: float) -> bool:
        """Return whether the objective cannot show what a step with this decrement gains."""
        floor = ACCEPTED * self.eps * (self.objective + self.span)
        return 0.5 * decrement**2 <= self.noise or decrement <= floor


def _level(eps: float, point: Point, root: Root, first: float, start: Point) -> _Level:
    # Without an objective the first decrement gives the scale.
    objective = first
    if point.value is not None and start.value is not None:
        # Where F falls to zero, what is left of its first value by rounding.
        objective = float(np.sqrt(2 * max(abs(point.value), eps * abs(start.value))))
    return _Level(eps, objective, float(root.norms @ np.abs(point.x)))


def _forcing(P: Vector, step: _Step, moved: Point, length: float, root: Root) -> float:
    """Return the next relative residual: how far the gradient was from the model's prediction."""
    model = (1 - length) * step.before + length * step.after
    surprise = np.linalg.norm(P.T @ moved.gradient - model) / np.linalg.norm(step.before)
    least = max(_FORCING_LEAST, 10 * float(np.finfo(root.B.dtype).eps))
    return float(np.clip(surprise, least, _FORCING))


def _solve(root: Root, P: Vector, gradient: Vector, forcing: float) -> _Step:
    """Solve ``P.T H P y = -P.T g`` by conjugate gradients from zero."""
    r = before = P.T @ gradient
    start = float(np.linalg.norm(r))
    y, p, rho, squared, n_steps = np.zeros_like(r), -r, start**2, 0.0, 0
    while n_steps < _CG_CAP and np.sqrt(rho) > forcing * start:
        Hp = P.T @ root.normal(P @ p)
        curvature = float(p @ Hp)
        if curvature <= _FLAT_CURVATURE * float(p @ p):
            y = p if n_steps == 0 else y
            break
        n_steps += 1
        length = rho / curvature
        y = y + length * p
        r = r + length * Hp
        # The sum of these is -g.T dx = dx.T H dx, without cancellation.
        squared += length * rho
        rho, rho_before = float(r @ r), rho
        p = (rho / rho_before) * p - r
    reduction = np.sqrt(rho) / start if start > 0 else 0.0
    rate = float(reduction ** (1 / n_steps)) if n_steps else 1.0
    # What is left counts as if P had done its work there, so an unsolved part is not forgotten.
    return _Step(P @ y, float(np.sqrt(squared + rho)), before, r, rate)


def _slopes(point: Point, root: Root) -> float:
    """Return the largest ``|g_j| / ||h_j||``: below the decrement, and free of any solver."""
    gradient, norms = np.abs(point.gradient), root.norms
    if gradient[norms == 0].any():
        return np.inf
    return float(np.max(gradient * root.scale))


def _search(
    problem: Problem, point: Point, direction: Vector, near: bool, noise: float
) -> tuple[Point, float] | None:
    """Return a point along `direction` and the step length, or None if nothing is gained there.

    A length is good if the objective falls enough (Armijo), or if it does not rise and the slope is
    halved, which rounding hides later than the fall [1]_. `near` the optimum no objective can judge
    a step: its change is below rounding. There the Newton step is taken whole.

    References
    ----------
    .. [1] W. W. Hager, H. Zhang, "A new conjugate gradient method with guaranteed descent and an
       efficient line search", SIAM J. Optim. 16 (2005), 170-192.
    """
    slope = float(point.gradient @ direction)
    if not slope < 0:
        return None
    length = 1.0
    for _ in range(_HALVINGS):
        x = (point.x + length * direction).astype(point.x.dtype)
        x.flags.writeable = False
        if np.array_equal(x, point.x):
            return None
        value = problem.value(x)
        if value is not None and point.value is not None:
            fall = point.value - value
            if fall >= -_ARMIJO * length * slope or (near and np.isfinite(fall)):
                return problem.point(x, value), length
            # A slope that is what it was says that the step is short, not that it is good.
            doubtful, steepest = fall >= -noise, -_SLOPE_LEFT * slope
        else:
            doubtful, steepest = True, np.inf
        if doubtful:
            gradient = problem.gradient(x)
            left = float(gradient @ direction)
            gentle = near or -steepest <= left <= -_SLOPE_LEFT * slope
            if gentle and np.isfinite(gradient).all():
                return problem.point(x, value, gradient), length
        length /= 2
    return None


def _state(n_iter: int, point: Point, error: float, decrement: float) -> NewtonState:
    return NewtonState(
        n_iter=n_iter,
        error=float(error),
        certified=True,
        form=lambda: point.x,
        objective=point.value,
        decrement=decrement,
        gradient_norm=float(np.linalg.norm(point.gradient)),
    )
