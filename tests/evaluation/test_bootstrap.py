"""Intervals: where they lie, that they hold the score, and that more texts make them narrower."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_bispn.evaluation.bootstrap import Interval, intervals
from spacy_bispn.evaluation.scoring import PRF, add_up, macro_average
from spacy_bispn.settings import SettingError

Texts = list[dict[str, PRF]]
HIT, MISS, FALSE_ALARM = PRF(tp=1), PRF(fn=1), PRF(fp=1)


def f1_interval(texts: Texts, samples: int = 1000, seed: int = 0) -> tuple[float, float]:
    """Of the macro average, which must be known."""
    found = unless_unknown(texts, samples, seed)
    assert found is not None
    return found


def unless_unknown(texts: Texts, samples: int = 1000, seed: int = 0) -> Interval:
    """Of the macro average."""
    parts = [{label: found.f1_parts for label, found in counts.items()} for counts in texts]
    return intervals(parts, True, samples, seed)[0]


def width(texts: Texts, samples: int = 300) -> float:
    low, high = f1_interval(texts, samples)
    return high - low


def test_percentiles_of_a_case_that_is_known() -> None:
    # The hits of a sample are binomial, 50 ± 5; 95 % of them lie between 40 and 60.
    low, high = f1_interval([{"A": HIT}] * 50 + [{"A": MISS}] * 50)
    assert low == pytest.approx(2 * 40 / (2 * 40 + 60), abs=0.02)
    assert high == pytest.approx(2 * 60 / (2 * 60 + 40), abs=0.02)


@pytest.mark.parametrize(
    ("texts", "score"),
    [
        ([{"A": PRF(tp=1, fp=1)}] * 2, 2 / 3),
        ([{"A": HIT}] * 9, 1.0),
        ([{"A": MISS}] * 9, 0.0),
        ([{"A": HIT}, {"A": HIT}, {}], 1.0),
    ],
)
def test_without_variation_there_is_no_width(texts: Texts, score: float) -> None:
    low, high = f1_interval(texts, samples=5)
    assert (low, high) == (pytest.approx(score), pytest.approx(score))


def test_the_same_seed_gives_the_same_interval() -> None:
    texts: Texts = [{"A": PRF(tp=number % 3, fp=number % 5, fn=1)} for number in range(40)]
    assert f1_interval(texts, 50, seed=1) == f1_interval(texts, 50, seed=1)
    assert f1_interval(texts, 50, seed=1) != f1_interval(texts, 50, seed=2)


def test_an_average_over_rare_labels_stays_inside() -> None:
    # Many labels lose their only hit in a sample: nearly all samples are worse than the whole.
    texts: Texts = [{str(label): counts} for label in range(400) for counts in (HIT, FALSE_ALARM)]
    low, high = f1_interval(texts, samples=100)
    assert low < high == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("texts", "samples", "said"),
    [
        ([], 10, "number of texts is 0, expected at least 1: evaluate on texts"),
        ([{"A": HIT}], 0, "samples is 0, expected at least 1: 1000 are usual"),
    ],
)
def test_something_must_be_drawn(texts: Texts, samples: int, said: str) -> None:
    with pytest.raises(SettingError, match=said):
        f1_interval(texts, samples)


def test_labels_have_intervals_of_their_own_and_all_together_that_of_their_sums() -> None:
    texts = [{"A": (2, 2), "B": (0, 1)}] * 30 + [{"A": (0, 2)}] * 30
    overall, each = intervals(texts, by_label=False)
    assert each["B"] == (0.0, 0.0)
    assert each["A"] == intervals([{"A": text["A"]} for text in texts], by_label=False)[0]
    low, high = overall
    assert low < 60 / 150 < high and each["A"][0] < 1 / 2 < each["A"][1]


@pytest.mark.parametrize("by_label", [True, False])
def test_an_interval_is_unknown_with_fewer_than_two_texts_that_have_items(by_label: bool) -> None:
    hit, none = (2, 2), (0, 0)
    assert intervals([{}], by_label) == (None, {})
    assert intervals([{"A": hit}], by_label) == (None, {"A": None})
    assert intervals([{"A": hit}, {}, {"A": none}], by_label) == (None, {"A": None})
    overall, each = intervals([{"A": hit}, {"A": (0, 2), "B": hit}], by_label)
    assert overall and overall[0] < overall[1] and each["A"] == (0.0, 1.0) and each["B"] is None


counts = st.builds(PRF, st.integers(0, 3), st.integers(0, 3), st.integers(0, 3))
items = counts.filter(lambda found: found != PRF())


@settings(max_examples=30)
@given(st.lists(st.dictionaries(st.sampled_from("ABC"), counts, max_size=3), min_size=1, max_size=8))
def test_the_interval_holds_the_score(texts: Texts) -> None:
    interval = unless_unknown(texts, samples=100)
    full = [counts for counts in texts if any(found != PRF() for found in counts.values())]
    assert (interval is None) is (len(full) < 2)
    if interval is None:
        return
    low, high = interval
    score = macro_average({label: found for label, found in add_up(texts).items() if found != PRF()})["f"]
    assert 0.0 <= low <= score + 1e-9
    assert score - 1e-9 <= high <= 1.0


@settings(max_examples=30)
@given(st.lists(items.map(lambda found: {"A": found}), min_size=2, max_size=6))
def test_more_texts_of_the_same_kind_make_it_narrower(texts: Texts) -> None:
    assert width(texts * 16) <= width(texts) + 1e-9
