"""Whether a setting is a number that can be used."""

from __future__ import annotations

import math
import sys
from typing import Any

ABOVE_0, BELOW_1 = math.nextafter(0.0, 1.0), math.nextafter(1.0, 0.0)
LARGEST = sys.float_info.max


def within(value: Any, least: float, most: float = LARGEST) -> bool:
    """Whether a value is a number from `least` to `most`.

    NaN is none, nor is a quoted number, which a config file lets pass as it stands.
    """
    return isinstance(value, int | float) and least <= value <= most
