"""What a pipeline has forgotten."""

from __future__ import annotations

import warnings

import pytest
from pipelines import demo_texts, initialize, make_examples, make_nlp, pipe_of, train

from spacy_bispn import Comparison, compare_pipelines


def comparison(entities: float, relations: float) -> Comparison:
    before = {"entities": (80.0, 80.0, 80.0), "relations": (50.0, 50.0, 50.0)}
    return Comparison(before, {"entities": (0, 0, 80 - entities), "relations": (0, 0, 50 - relations)})


def test_more_than_a_point_is_forgotten() -> None:
    assert comparison(1.0, -3.0).forgotten == "" and comparison(0.5, 1.0).lost["relations"] == 1.0
    said = comparison(0.0, 1.5).forgotten
    assert said.startswith("the pipeline has forgotten relations from 50.0 to 48.5 F1, expected to lose at")
    assert said.endswith("a lower continued_rate or fewer epochs.")
    assert "entities from 80.0 to 70.0 F1 and relations from 50.0 to 48.0" in comparison(10, 2).forgotten


@pytest.mark.slow
def test_pipelines_are_compared_on_gold() -> None:
    good, bad = make_nlp(), make_nlp()
    texts = demo_texts(4)
    examples = initialize(good, texts)
    train(good, examples, 120)
    initialize(bad, texts)
    gold = [example.reference for example in make_examples(good, texts)]
    with pytest.warns(UserWarning, match=r"forgotten entities from \d+\.\d to 0\.0 F1 and relations from"):
        found = compare_pipelines(good, bad, gold)
    scores = good.evaluate(examples)
    expected = tuple(100 * scores[f"rel_micro_{x}"] for x in "prf")
    assert found.before["relations"] == expected and expected[2] > 50
    assert found.after["relations"] == (0.0, 0.0, 0.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert compare_pipelines(bad, good, gold).lost["entities"] == -found.lost["entities"]
    for name in ("bispn", "bispn-relations"):
        for doc in gold:
            doc.spans.pop(name, None)
    assert pipe_of(good) and compare_pipelines(good, good, gold).before.keys() == {"entities"}


def test_without_texts_nothing_is_compared() -> None:
    with pytest.raises(ValueError, match="found no Docs to compare on, expected at least one: check"):
        compare_pipelines(make_nlp(), make_nlp(), [])
