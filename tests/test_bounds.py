"""What counts as a usable number."""

from __future__ import annotations

from math import inf, nan
from typing import Any

import pytest

from spacy_bispn.bounds import ABOVE_0, BELOW_1, LARGEST, within


@pytest.mark.parametrize("value", [0, 1, 0.5, -0.0, True])
def test_numbers_within_both_bounds(value: float) -> None:
    assert within(value, 0, 1)


@pytest.mark.parametrize("value", [-1e-300, 1 + 1e-15, nan, inf, -inf, "0.5", None, [], 10**400])
def test_everything_else(value: Any) -> None:
    assert not within(value, 0, 1)


def test_open_bounds_leave_out_no_number_but_the_bound() -> None:
    assert within(5e-324, ABOVE_0, BELOW_1) and within(1 - 1e-16, ABOVE_0, BELOW_1)
    assert not within(0, ABOVE_0, BELOW_1) and not within(1, ABOVE_0, BELOW_1)


def test_without_an_upper_bound_a_number_is_finite() -> None:
    assert within(LARGEST, 0) and not within(inf, 0)
