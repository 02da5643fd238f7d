"""What levels cost and lose: invented documents, with the numbers that must come out."""

from __future__ import annotations

import json
import re

import pytest

from spacy_bispn.converters.cutting import cut, sentences_of
from spacy_bispn.diagnosis.levels import COMPARED, DISTANCE_HEADER, HEADER, MOST, LevelComparison
from spacy_bispn.records import AnnotatedText, Entity, Extraction, Relation


def document(sentences: int, gaps: list[int], words: int = 4) -> AnnotatedText:
    """Sentences of so many words; relations from an entity in the first one to one so many sentences on."""
    sentence = " ".join(["w"] * words) + ". "
    ends = [Entity(number * len(sentence), number * len(sentence) + 1, "P") for number in range(sentences)]
    relations = tuple(
        Relation(ends[number % 2], ends[number % 2 + gap], "R") for number, gap in enumerate(gaps)
    )
    return AnnotatedText("a", sentence * sentences, Extraction(tuple(ends), relations))


def compared(*texts: AnnotatedText, longest: int = 512) -> LevelComparison:
    levels = LevelComparison(longest)
    for text in texts:
        starts = [0, *(match.end() for match in re.finditer(r"\. ", text.text))]
        levels.add(text, starts, [match.start() for match in re.finditer(r"\w+|\.", text.text)])
    return levels


def test_distances_are_counted_in_sentences() -> None:
    levels = compared(document(8, [0, 0, 1, 2, 2, 5]))
    assert levels.distances == {0: 2, 1: 1, 2: 2, 5: 1} and levels.sentences == 8
    assert (levels.relations, levels.crossing) == (6, 4)
    said = levels.distance_in_words()
    assert said.startswith("4 of 6 relations (66.7%) cross sentences: 2 within 1, 3 within 2, 5 within 3")
    assert said.endswith("1 further apart")


def test_a_level_loses_what_a_conversion_at_that_level_drops() -> None:
    text = document(11, [0, 1, 1, 2, 3, 4, 5, 8])
    starts = [0, *(match.end() for match in re.finditer(r"\. ", text.text))]
    levels = {one.level: one for one in compared(text).levels}
    assert set(levels) == set(COMPARED)
    for name, found in levels.items():
        size = sentences_of(name)
        parts, lost = cut(text, starts, size) if size else ([text], 0)
        assert (found.texts, found.lost) == (len(parts), lost)
        assert found.entities == max(len(part.extraction.entities) for part in parts)
        assert found.relations == max(len(part.extraction.relations) for part in parts)
    assert levels["document"].size == levels["sentence"].size == 11 * 5
    assert (levels["sentence"].longest, levels["2"].longest, levels["document"].longest) == (5, 10, 55)


def test_a_long_text_loses_what_no_window_holds() -> None:
    text = document(40, [0, 3, 30])
    whole = compared(text, longest=50).whole
    assert whole.lost == 1 and whole.longest == 200 and whole.entities == 10 and whole.relations == 2
    assert compared(text).whole.lost == 0


@pytest.mark.parametrize(
    ("gaps", "level"),
    [
        ([0] * 40, "sentence"),
        ([0] * 40 + [1], "sentence"),  # 2.4 %
        ([0] * 20 + [1], "2"),  # a relation from the first sentence to the second
        ([0] * 20 + [1, 1], "3"),  # and one from the second to the third
        ([0] * 20 + [1, 3], "5"),
        ([0] * 20 + [9], "document"),
    ],
)
def test_the_smallest_texts_that_hold_nearly_all_are_recommended(gaps: list[int], level: str) -> None:
    levels = compared(document(30, gaps))
    assert levels.recommend().level == level and f"--level {level}: " in levels.reason()


def test_texts_that_cost_little_are_not_cut() -> None:
    levels = compared(*[document(2, [0])] * 9)
    assert levels.recommend().level == "document" and levels.has_documents
    assert "less than 3 times as cheap" in levels.reason()
    assert not compared(*[document(1, [0])] * 9).has_documents


def test_a_step_costs_more_than_its_texts_are_longer() -> None:
    levels = compared(document(100, [0]))
    cost = dict(zip(COMPARED, (levels.times(one, levels.levels[0]) for one in levels.levels), strict=True))
    assert cost["sentence"] == 1 and 2 < cost["2"] < cost["3"] < cost["5"] and cost["document"] > 100
    assert "about 1/" in levels.reason()


def test_all_of_it_is_plain_values_and_a_table() -> None:
    levels = compared(document(12, [0, 0, 1]))
    found = json.loads(json.dumps(levels.as_json()))
    assert found["distances"] == {"0": 2, "1": 1} and found["recommended"] == levels.recommend().level
    assert [one["level"] for one in found["compared"]] == list(COMPARED)
    rows = list(levels.rows())
    assert all(len(row) == len(HEADER) for row in rows)
    assert [row[0] for row in rows if row[0].endswith(" *")] == [f"{levels.recommend().level} *"]


def test_blank_texts_and_texts_without_relations_are_compared() -> None:
    levels = compared(AnnotatedText("a", "", Extraction()), document(5, []))
    assert (levels.relations, levels.whole.texts, levels.recommend().lost) == (0, 1, 0)
    assert "(0.0%)" in levels.distance_in_words() and not LevelComparison().has_documents


def test_enough_is_enough() -> None:
    levels = compared(document(2, [0], words=MOST // 2))
    assert levels.is_full and not compared(document(2, [0])).is_full


def test_the_window_that_relations_of_each_distance_need() -> None:
    levels = compared(document(8, [0, 0, 1, 2, 2, 5]))  # five units a sentence
    assert levels.reaches == {0: [1, 1], 1: [6], 2: [11, 11], 5: [26]}
    rows = {name: cells for name, *cells in levels.distance_rows()}
    assert rows == {
        "0": ["2", "1 tokens", "1 tokens", "1 tokens"],
        "1": ["1", "6 tokens", "6 tokens", "6 tokens"],
        "2": ["2", "11 tokens", "11 tokens", "11 tokens"],
        "3 or more": ["1", "26 tokens", "26 tokens", "26 tokens"],
        "all": ["6", "26 tokens", "26 tokens", "26 tokens"],
    }
    assert all(len(cells) + 1 == len(DISTANCE_HEADER) for cells in rows.values())
    assert levels.as_json()["reaches"][5]["most"] == 26 and levels.as_json()["unit"] == "tokens"
    assert list(LevelComparison().distance_rows()) == []


def test_a_window_of_that_size_holds_the_relation() -> None:
    for gap in (0, 1, 3):
        (reach,) = compared(document(6, [gap])).reaches[gap]
        assert compared(document(6, [gap]), longest=reach + 5).whole.lost == 0
