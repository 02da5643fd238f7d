"""How many cases each fuzz test tries: a quick one in every run, a thorough one among the slow tests."""

from __future__ import annotations

from hypothesis import settings

CASES = {
    "texts": 15,
    "many texts": 60,
    "surrogates": 60,
    "words": 40,
    "conversions": 150,
    "many conversions": 400,
    "records": 300,
    "many records": 1500,
    "placements": 500,
    "many placements": 4060,
    "updates": 15,
    "many updates": 80,
    "values": 400,
    "many values": 2700,
    "built": 150,
}
USED: set[str] = set()


def cases(name: str) -> settings:
    """The same cases in every run and on every machine, however long one takes."""
    USED.add(name)
    return settings(
        max_examples=CASES[name], derandomize=True, database=None,
    )  # fmt: skip
