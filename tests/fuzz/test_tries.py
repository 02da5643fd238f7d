"""The number of cases that the reliability page promises."""

from __future__ import annotations

import test_gold
import test_settings
import test_texts
from tries import CASES, USED

FEWEST = 10_000


def test_there_are_ten_thousand_cases_and_each_number_is_used() -> None:
    assert {module.__name__ for module in (test_gold, test_settings, test_texts)}  # importing fills USED
    assert set(CASES) == USED
    assert sum(CASES.values()) >= FEWEST
