"""How many cases each fuzz test tries: a quick one in every run, a thorough one among the slow tests."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

CASES = {
    "texts": 20,
    "many texts": 120,
    "surrogates": 60,
    "words": 40,
    "conversions": 250,
    "many conversions": 1250,
    "records": 300,
    "many records": 1700,
    "placements": 500,
    "many placements": 3000,
    "updates": 15,
    "many updates": 80,
    "values": 600,
    "many values": 2500,
    "built": 150,
}
USED: set[str] = set()


def cases(name: str) -> settings:
    """The same cases in every run and on every machine, however long one takes."""
    USED.add(name)
    return settings(
        max_examples=CASES[name], derandomize=True, deadline=None, database=None,
        suppress_health_check=[HealthCheck.too_slow],
    )  # fmt: skip
