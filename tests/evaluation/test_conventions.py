"""What each convention counts, on cases small enough to count by hand."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import catalogue
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from spacy_bispn.cli import app
from spacy_bispn.converters import read_json
from spacy_bispn.converters.formats.biorelex import read_biorelex, to_official
from spacy_bispn.converters.formats.spert import read_spert
from spacy_bispn.evaluation.biorelex_official import official_scores
from spacy_bispn.evaluation.conventions import (
    Convention,
    Counts,
    Judged,
    convention,
    convention_names,
    convention_rows,
    get_convention,
    score,
)
from spacy_bispn.evaluation.scoring import PRF, score_extractions
from spacy_bispn.records import AnnotatedText, Entity, Extraction, Relation, overlap_ratio
from spacy_bispn.settings import SettingError

TEXT = "ORC and Cdc6p bind ATP."
ORC, CDC6, ATP = Entity(0, 3, "protein"), Entity(8, 13, "protein"), Entity(19, 22, "chemical")
GOLD = Extraction((ORC, CDC6, ATP), (Relation(ORC, ATP, "binds"), Relation(CDC6, ATP, "binds")))
# Cdc6p has another label, which is wrong in one relation, and a third relation is invented.
CDC6_AS_COMPLEX = Entity(8, 13, "complex")
PREDICTED = Extraction(
    (ORC, CDC6_AS_COMPLEX, ATP),
    (
        Relation(ORC, ATP, "binds"),
        Relation(CDC6_AS_COMPLEX, ATP, "binds"),
        Relation(ORC, CDC6_AS_COMPLEX, "binds"),
    ),
)


def judged(gold: Extraction, predicted: Extraction, text: str = TEXT, **known: Any) -> Judged:
    return Judged(AnnotatedText("t", text, gold), predicted, **known)


def ratios(
    convention: str,
    gold: Extraction,
    predicted: Extraction,
    text: str = TEXT,
    symmetric: tuple[str, ...] = (),
) -> dict[str, tuple[float, ...]]:
    """Precision, recall and F1 of one text."""
    scores = score(convention, [judged(gold, predicted, text)], symmetric, samples=2)
    return {part: tuple(round(found[ratio], 4) for ratio in "prf") for part, found in scores.items() if found}


@pytest.mark.parametrize(
    ("convention", "entities", "relations"),
    [
        ("strict", (2 / 3, 2 / 3, 2 / 3), (1 / 3, 1 / 2, 2 / 5)),
        ("boundaries", (1, 1, 1), (2 / 3, 1, 4 / 5)),
        # chemical: 1, 1, 1; complex: 0, 0, 0; protein: 1, 1/2, 2/3
        ("spert", (2 / 3, 1 / 2, 5 / 9), (1 / 3, 1 / 2, 2 / 5)),
    ],
)
def test_labels_count_or_do_not(
    convention: str, entities: tuple[float, ...], relations: tuple[float, ...]
) -> None:
    found = ratios(convention, GOLD, PREDICTED)
    assert found["entities"] == pytest.approx(entities, abs=1e-4)
    assert found["relations"] == pytest.approx(relations, abs=1e-4)


def test_labels_have_counts_of_their_own() -> None:
    found = score("strict", [judged(GOLD, PREDICTED)] * 2, samples=2)["entities"]
    assert found and list(found["labels"]) == ["chemical", "complex", "protein"]
    f1 = pytest.approx(2 / 3)
    half = {"p": 1.0, "r": 0.5, "f": f1, "low": f1, "high": f1, "tp": 2, "fp": 0, "fn": 2}
    assert found["labels"]["protein"] == half


def test_a_symmetric_relation_counts_once_or_twice() -> None:
    gold = Extraction((ORC, CDC6, ATP), (Relation(ORC, ATP, "binds"), Relation(ORC, CDC6, "moves")))
    turned = Extraction((ORC, CDC6, ATP), (Relation(ATP, ORC, "binds"), Relation(CDC6, ORC, "moves")))
    assert ratios("strict", gold, turned)["relations"] == (0, 0, 0)
    # One of two relations, and two of three.
    assert ratios("strict", gold, turned, symmetric=("binds",))["relations"] == (0.5, 0.5, 0.5)
    twice = ratios("symmetric-twice", gold, turned, symmetric=("binds",))
    assert twice["relations"] == pytest.approx((2 / 3, 2 / 3, 2 / 3), abs=1e-4)
    assert ratios("symmetric-twice", gold, turned)["relations"] == (0, 0, 0)


def test_both_directions_of_a_symmetric_relation_are_no_more_than_one() -> None:
    one = Extraction((ORC, ATP), (Relation(ORC, ATP, "binds"),))
    both = Extraction((ORC, ATP), (*one.relations, Relation(ATP, ORC, "binds")))
    assert ratios("symmetric-twice", one, both, symmetric=("binds",))["relations"] == (1, 1, 1)
    dimer = Extraction((ORC,), (Relation(ORC, ORC, "binds"),))
    found = score("symmetric-twice", [judged(dimer, dimer)], ("binds",), samples=2)["relations"]
    assert found and found["labels"]["binds"]["tp"] == 1, "turned, it is the same"


MENTIONS = [Entity(at, at + 1, "P", kb_id=name) for at, name in enumerate(["A", "A", "B", "B", "", ""])]


def between(*pairs: tuple[int, int], label: str = "r") -> Extraction:
    return Extraction(tuple(MENTIONS), tuple(Relation(MENTIONS[x], MENTIONS[y], label) for x, y in pairs))


@pytest.mark.parametrize(
    ("gold", "predicted", "symmetric", "expected"),
    [
        ([(0, 2), (0, 3), (1, 2), (1, 3)], [(1, 2)], (), (1, 0, 0)),  # one pair of mentions is enough
        ([(0, 2)], [(1, 3), (0, 3)], (), (1, 0, 0)),  # as is another one, and two count once
        ([(0, 2)], [(2, 0), (3, 1)], (), (0, 1, 1)),
        ([(0, 2)], [(2, 0), (3, 1)], ("r",), (1, 0, 0)),
        ([(0, 4), (5, 0)], [(1, 4), (1, 5), (5, 1)], (), (2, 1, 0)),  # mentions without ids are things apart
        ([(0, 4)], [(4, 1)], ("r",), (1, 0, 0)),  # names and places have an order
        ([(0, 1)], [(0, 1), (1, 0)], (), (1, 0, 0)),  # of a thing with itself
        ([], [(0, 2), (1, 3)], (), (0, 1, 0)),
    ],
)
def test_a_relation_of_clusters_counts_once(
    gold: Any, predicted: Any, symmetric: tuple[str, ...], expected: tuple[int, int, int]
) -> None:
    # predictions know no ids, and their labels may be wrong
    seen = [Entity(one.start, one.end, "Q") for one in MENTIONS]
    found = Extraction(tuple(seen), tuple(Relation(seen[x], seen[y], "r") for x, y in predicted))
    scores = score("clusters", [judged(between(*gold), found)], symmetric, samples=2)
    assert scores["relations"] and scores["entities"]
    counts = scores["relations"]["labels"]["r"]
    assert (counts["tp"], counts["fp"], counts["fn"]) == expected
    assert scores["entities"]["labels"]["P"]["fn"] == 4, "two clusters and two mentions"


def test_a_cluster_is_found_by_one_of_its_mentions() -> None:
    gold = Extraction((Entity(0, 1, "P", kb_id="A"), Entity(2, 3, "P", kb_id="A"), Entity(4, 5, "P")))
    found = ratios("clusters", gold, Extraction((Entity(2, 3, "P"), Entity(4, 6, "P"))))
    assert found["entities"] == (0.5, 0.5, 0.5)


@pytest.mark.parametrize(("part", "interactions", "pairs"), [("train", 2214, 4142), ("dev", 294, 610)])
def test_published_interactions_count_once(corpora: Path, part: str, interactions: int, pairs: int) -> None:
    path = corpora / "biorelex" / f"{part}.json"
    _, sentences = read_json(path)
    listed = [{(*sorted(x["participants"]), x["label"]) for x in one["interactions"]} for one in sentences]
    assert sum(map(len, listed)) == interactions, "some are listed twice"
    read = read_biorelex(path)
    for name, count in (("clusters", interactions), ("strict", pairs)):
        texts = [Judged(text, text.extraction) for text in read.texts]
        found = score(name, texts, read.symmetric, samples=2)["relations"]
        assert found and sum(one["tp"] for one in found["labels"].values()) == count and found["f"] == 1


FLAT = "lithium toxicity after lithium"
EFFECT, INSIDE, DRUG = Entity(0, 16, "Effect"), Entity(0, 7, "Drug"), Entity(23, 30, "Drug")
NESTED = Extraction((EFFECT, INSIDE, DRUG), (Relation(EFFECT, INSIDE, "of"), Relation(EFFECT, DRUG, "of")))
SEEN = Extraction((EFFECT, DRUG), (Relation(EFFECT, DRUG, "of"),))


def test_overlapping_entities_may_be_left_out() -> None:
    # Drug: 1, 1/2, 2/3; Effect: 1, 1, 1. Of two relations one is found.
    kept = ratios("spert", NESTED, SEEN, FLAT)
    assert kept["entities"] == pytest.approx((1, 3 / 4, 5 / 6), abs=1e-4)
    assert kept["relations"] == pytest.approx((1, 1 / 2, 2 / 3), abs=1e-4)
    # Gold keeps the second drug and its relation, whose own ends lie apart; the predicted effect is alone.
    # Drug: 1, 1, 1; Effect: 0, 0, 0.
    left_out = ratios("spert-no-overlapping", NESTED, SEEN, FLAT)
    assert left_out == {"entities": (0.5, 0.5, 0.5), "relations": (1, 1, 1)}
    assert ratios("spert-no-overlapping", SEEN, NESTED, FLAT)["relations"] == (1, 1, 1), "predictions too"


def test_one_span_with_two_labels_overlaps_itself_but_a_relation_to_itself_does_not() -> None:
    twice = Extraction((ORC, Entity(0, 3, "complex"), ATP), (Relation(ATP, ATP, "binds"),))
    found = ratios("spert-no-overlapping", twice, Extraction((ATP,), twice.relations))
    assert found == {"entities": (1, 1, 1), "relations": (1, 1, 1)}


SENTENCE = {
    "id": "t",
    "text": "ORC (origin complex) binds Cdc6p.",
    "entities": [
        {
            "label": "complex",
            "names": {
                "ORC": {"is_mentioned": True, "mentions": [[0, 3]]},
                "origin complex": {"is_mentioned": True, "mentions": [[5, 19]]},
            },
        },
        {"label": "protein", "names": {"Cdc6p": {"is_mentioned": True, "mentions": [[27, 32]]}}},
    ],
    "interactions": [{"participants": [0, 1], "type": "bind", "label": 1}],
}
LONG, BOUND = Entity(5, 19, "complex"), Entity(27, 32, "protein")
DRUG_ORC = Entity(0, 3, "drug")


@pytest.mark.parametrize(
    ("relations", "found"),
    [
        ([], (0, 0, 0)),
        ([Relation(DRUG_ORC, BOUND, "may_bind")], (0, 0, 0)),  # one of two names: neither right nor wrong
        ([Relation(DRUG_ORC, BOUND, "may_bind"), Relation(BOUND, LONG, "binds")], (1, 1, 1)),
        (
            [Relation(end, BOUND, "binds") for end in (DRUG_ORC, LONG)] + [Relation(LONG, LONG, "binds")],
            (1 / 2, 1, 2 / 3),
        ),
    ],
)
def test_biorelex_wants_every_name_and_no_label(
    relations: list[Relation[Entity]], found: tuple[float, ...]
) -> None:
    predicted = Extraction((DRUG_ORC, LONG, BOUND, Entity(20, 25, "verb")), tuple(relations))
    text = judged(Extraction(), predicted, str(SENTENCE["text"]), official=SENTENCE)
    scores = score("biorelex", [text], samples=2)
    entities, interactions = scores["entities"], scores["relations"]
    assert entities and interactions
    assert [entities[ratio] for ratio in "prf"] == pytest.approx([3 / 4, 1, 6 / 7])
    assert [interactions[ratio] for ratio in "prf"] == pytest.approx(found)


def test_biorelex_needs_the_clusters() -> None:
    said = r"text 't' without clusters.*expected a file of BioRelEx: pass .*--format biorelex"
    with pytest.raises(ValueError, match=said):
        score("biorelex", [judged(GOLD, PREDICTED)])


def test_text2dt_compares_words_wherever_they_stand() -> None:
    text = "ATP feeds ORC, ATP does."
    first, second, orc = Entity(0, 3, "chemical"), Entity(15, 18, "drug"), Entity(10, 13, "protein")
    once = Extraction((first, orc), (Relation(first, orc, "feeds"),))
    other = Extraction((second, orc), (Relation(second, orc, "feeds"),))
    both = Extraction((first, second, orc), (*once.relations, *other.relations))
    assert ratios("text2dt", once, other, text) == {"relations": (1, 1, 1)}, "and entities have no score"
    assert ratios("text2dt", both, once, text) == {"relations": (1, 1, 1)}, "the same words are one item"
    turned = Extraction(once.entities, (Relation(orc, first, "feeds"),))
    assert ratios("text2dt", once, turned, text) == {"relations": (0, 0, 0)}
    assert ratios("text2dt", once, turned, text, ("feeds",)) == {"relations": (1, 1, 1)}


def test_texts_without_gold_are_left_out() -> None:
    unsure = judged(Extraction((ORC,)), PREDICTED, relations_annotated=False)
    scores = score("strict", [unsure], samples=2)
    assert scores["entities"] and scores["relations"] is None
    scores = score("strict", [unsure, judged(GOLD, GOLD)], samples=2)
    assert scores["relations"] and scores["relations"]["f"] == 1.0
    assert score("strict", []) == {}


def test_the_interval_is_that_of_the_texts() -> None:
    texts = [judged(GOLD, GOLD)] * 20 + [judged(GOLD, Extraction())] * 20
    few, many = score("strict", texts)["entities"], score("strict", texts * 9)["entities"]
    assert few and many
    assert few["low"] < many["low"] < few["f"] == many["f"] < many["high"] < few["high"]
    assert few["f"] == pytest.approx(2 / 3)
    for label in few["labels"].values():
        assert label["low"] < label["f"] < label["high"]


def test_an_unknown_convention_is_named() -> None:
    with pytest.raises(SettingError, match=r"'muc', expected one of strict, boundaries, .*: choose one"):
        get_convention("muc")


@pytest.fixture
def lenient() -> Iterator[Convention]:
    """A made-up convention: entities that share a character agree, whatever their labels."""

    @convention("lenient", about="spans that overlap", macro=True)
    def lenient(text: Judged, symmetric: Collection[str]) -> Counts:
        gold, predicted = text.gold.extraction.entities, text.predicted.entities
        found = [one for one in predicted if any(overlap_ratio(one, other) for other in gold)]
        return {"entities": {"any": PRF(len(found), len(predicted) - len(found), 0)}}

    yield lenient
    del catalogue.REGISTRY["spacy_bispn", "conventions", "lenient"]


def test_a_convention_is_one_function_and_its_name(lenient: Convention) -> None:
    assert get_convention("lenient") is lenient and lenient.macro
    assert convention_names()[-1] == "lenient"
    near = Extraction((Entity(1, 5, "drug"), Entity(4, 7, "drug")))
    found = score("lenient", [judged(GOLD, near)], samples=2)
    assert list(found) == ["entities"] and found["entities"]
    assert (found["entities"]["p"], found["entities"]["r"]) == (0.5, 1.0)
    with pytest.raises(SettingError, match=r"'muc', expected one of strict, .*, lenient: choose"):
        get_convention("muc")
    assert "`lenient`" not in {cell for row in convention_rows() for cell in row.values()}


def test_a_name_is_not_taken_twice() -> None:
    said = (
        r"a convention of \S*test_conventions is 'strict', expected another name .*\.conventions: rename it"
    )
    with pytest.raises(SettingError, match=said):
        convention("strict", about="something else")(lambda text, symmetric: {})
    assert get_convention("strict").about.startswith("spans and labels")


PLUGIN = """
from spacy_bispn.evaluation.conventions import convention

@convention("heads", about="nothing", macro=True)
def heads(text, symmetric):
    return {"relations": {}}

no_convention = len
"""
ASK = """
import sys
from spacy_bispn.evaluation.conventions import convention_names, get_convention, score
print(convention_names()[-3:], "plugin" in sys.modules)
print(get_convention("heads").macro, score("heads", []))
for name in ("function", "broken"):
    try:
        get_convention(name)
    except ValueError as error:
        print(error)
"""


def test_another_package_may_add_one(tmp_path: Path) -> None:
    (tmp_path / "plugin.py").write_text(PLUGIN)
    metadata = tmp_path / "plugin-1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: plugin\nVersion: 1\n")
    (metadata / "entry_points.txt").write_text(
        "[spacy_bispn_conventions]\n"
        "heads = plugin:heads\nfunction = plugin:no_convention\nbroken = no_such_plugin:heads\n"
    )
    paths = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[2])])
    environment = {**os.environ, "PYTHONPATH": paths}
    result = subprocess.run([sys.executable, "-c", ASK], capture_output=True, text=True, env=environment)
    names, scored, function, broken = result.stdout.splitlines()
    assert names == "['heads', 'function', 'broken'] False", "names need no import"
    assert scored == "True {}"
    assert (
        "is 'function', expected a function below @convention as its entry point, not <built-in" in function
    )
    assert function.endswith("correct its package.")
    assert "is 'broken', expected one that can be imported, not ModuleNotFoundError: No module" in broken
    assert broken.endswith("update or uninstall its package.")


def test_the_help_names_every_convention() -> None:
    shown = CliRunner().invoke(app, ["evaluate", "--help"], env={"COLUMNS": "400", "TERM": "dumb"}).output
    assert ", ".join(convention_names()) in " ".join(shown.split())


def test_the_table_of_the_docs_is_made_of_the_conventions() -> None:
    page = (Path(__file__).parents[2] / "docs" / "reports.md").read_text("utf8")
    table = page.partition("<!-- table: conventions -->\n")[2].partition("<!-- /table -->")[0]
    header, _, *lines = ([cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines())
    rows = list(convention_rows())
    assert [dict(zip(header, line, strict=True)) for line in lines] == rows
    assert all(row["what counts"] for row in rows)


entities = st.builds(
    lambda start, size, label: Entity(start, start + size, label),
    *(st.integers(0, 4), st.integers(1, 3), st.sampled_from("AB")),
)
relations = st.builds(Relation, entities, entities, st.sampled_from(["binds", "moves"]))
extractions = st.builds(
    Extraction, st.lists(entities, max_size=5).map(tuple), st.lists(relations, max_size=5).map(tuple)
)


@given(st.lists(st.tuples(extractions, extractions), min_size=1, max_size=3))
def test_the_component_is_scored_by_the_same_rules(pairs: list[tuple[Extraction, Extraction]]) -> None:
    texts = [judged(*pair) for pair in pairs]
    scorer = score_extractions(pairs, ("binds",))
    for name, keys in (
        ("strict", ("ents", "rel_micro")),
        ("boundaries", ("ents_boundary", "rel_boundary")),
        ("spert", ("ents_macro", "rel_macro")),
    ):
        scores = score(name, texts, ("binds",), samples=2)
        for part, key in zip(("entities", "relations"), keys, strict=True):
            found = scores[part]
            assert found
            assert [found[x] for x in "prf"] == pytest.approx([scorer[f"{key}_{x}"] for x in "prf"])


def test_biorelex_agrees_with_the_scores_of_whole_files(corpora: Path) -> None:
    path = corpora / "biorelex" / "dev.json"
    texts, gold = read_biorelex(path).texts, read_json(path)[1]
    some = [Extraction(text.extraction.entities, text.extraction.relations[1:]) for text in texts]
    scores = score(
        "biorelex",
        [
            Judged(text, found, official=sentence)
            for text, found, sentence in zip(texts, some, gold, strict=True)
        ],
        samples=2,
    )
    predicted = ((text.id, text.text, found) for text, found in zip(texts, some, strict=True))
    official = official_scores(gold, to_official(predicted))
    for part, unit in (("entities", "mention"), ("relations", "relation")):
        found = scores[part]
        assert found
        assert [found[x] for x in "prf"] == pytest.approx([official[f"{unit}_{x}"] for x in "prf"])
    assert 0 < official["relation_f"] < 1


@pytest.mark.parametrize(
    ("convention", "entities", "relations"), [("spert", 10839, 6821), ("spert-no-overlapping", 10599, 6701)]
)
def test_published_counts_of_ade(corpora: Path, convention: str, entities: int, relations: int) -> None:
    texts = read_spert(corpora / "ade" / "ade_full.json").texts
    scores = score(convention, [Judged(text, text.extraction) for text in texts], samples=2)
    for part, count in (("entities", entities), ("relations", relations)):
        found = scores[part]
        assert found and found["f"] == found["low"] == 1.0
        assert sum(counts["tp"] for counts in found["labels"].values()) == count
