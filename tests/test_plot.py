from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import rnla

pytest.importorskip("matplotlib")
from matplotlib.figure import Figure

from rnla.plot import convergence


@pytest.fixture
def result():
    A = np.vander(np.linspace(-1, 1, 2000), 12)
    return rnla.lstsq_refine(A, np.cos(A[:, -2]), method="spir", rng=0)


def test_history_is_drawn_on_a_logarithmic_axis(result):
    ax = Figure().subplots()
    assert convergence(result, ax) is ax
    history, epsilon = ax.lines
    np.testing.assert_array_equal(history.get_ydata(), result.history)
    assert ax.get_yscale() == "log"
    assert epsilon.get_ydata()[0] == np.finfo(float).eps
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["spir", "machine epsilon"]


def test_without_axes_a_new_figure(result):
    from matplotlib import pyplot

    before = pyplot.get_fignums()
    first, second = convergence(result), convergence(result)
    assert first.figure is not second.figure
    assert len(pyplot.get_fignums()) == len(before) + 2
    pyplot.close(first.figure)
    pyplot.close(second.figure)


def test_zero_errors_are_left_out(result):
    exact = replace(result, history=np.array([1e-3, 0.0]))
    ax = convergence(exact, Figure().subplots())
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), [1e-3, np.nan])
    ax.figure.draw_without_rendering()
    nothing = convergence(replace(result, history=np.zeros(1)), Figure().subplots())
    nothing.figure.draw_without_rendering()
