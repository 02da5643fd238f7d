"""The official scores of BioRelEx, on sentences small enough to count by hand."""

import json

import pytest
from biorelex_sentence import CDC6, LONG_NAME, ORC, TEXT, sentence

from spacy_bispn.converters.formats.biorelex import read_biorelex, to_official
from spacy_bispn.evaluation.biorelex_official import official_scores
from spacy_bispn.records import Entity, Extraction, Relation


def test_mention_scores_ignore_types():
    predicted = to_official([("a", TEXT, Extraction((Entity(0, 3, "drug"), Entity(20, 26, "verb"))))])
    scores = official_scores([sentence()], predicted)
    assert (scores["mention_p"], scores["mention_r"]) == (1 / 2, 1 / 3)


def relation_scores(relations, gold):
    predicted = to_official([("a", TEXT, Extraction((ORC, LONG_NAME, CDC6), tuple(relations)))])
    scores = official_scores([gold], predicted)
    return scores["relation_p"], scores["relation_r"]


BOTH_NAMES = [Relation(ORC, CDC6, "binds"), Relation(LONG_NAME, CDC6, "binds")]
DIMER = Relation(CDC6, CDC6, "binds")


def test_relation_scores_want_every_pair_of_names_of_an_interaction():
    assert relation_scores(BOTH_NAMES, sentence()) == (1.0, 1.0)
    assert relation_scores(BOTH_NAMES[:1], sentence()) == (0.0, 0.0)


def test_relation_scores_blame_foreign_pairs_but_not_those_of_a_partly_found_interaction():
    two = sentence(interactions=[{"participants": [0, 1]}, {"participants": [1, 1]}])
    assert relation_scores([DIMER, BOTH_NAMES[0]], two) == (1.0, 0.5)
    assert relation_scores([DIMER, *BOTH_NAMES], sentence()) == (0.5, 1.0)


def test_relation_scores_compare_names_wherever_they_stand():
    text = "ORC binds Cdc6p, ORC does."
    first, second = Entity(0, 3, "complex"), Entity(17, 20, "complex")
    cdc6 = Entity(10, 15, "protein")
    near = Extraction((first, cdc6), (Relation(first, cdc6, "binds"),))
    far = Extraction((second, cdc6), (Relation(second, cdc6, "binds"),))
    gold, predicted = to_official([("a", text, near)]), to_official([("a", text, far)])
    scores = official_scores(gold, predicted)
    assert (scores["mention_f"], scores["relation_f"]) == (0.5, 1.0)


def test_relation_scores_ignore_labels_and_count_repeated_interactions():
    repeated = sentence(interactions=[{"participants": [0, 1], "label": 1}] * 2 + [{"participants": [0, 0]}])
    relabelled = [Relation(relation.head, relation.tail, "not_binds") for relation in BOTH_NAMES]
    assert relation_scores(relabelled, repeated) == (1.0, 2 / 3)


def test_scores_leave_out_missing_sentences_with_a_warning():
    with pytest.warns(UserWarning, match="no prediction for 1 of 2 gold sentences"):
        scores = official_scores([sentence(), sentence(id="b")], [sentence()])
    assert scores["mention_r"] == scores["relation_r"] == 1.0


def official(texts, keep=lambda relation: True):
    """The official prediction of everything that is kept of the gold."""
    return to_official(
        (
            text.id,
            text.text,
            Extraction(text.extraction.entities, tuple(filter(keep, text.extraction.relations))),
        )
        for text in texts
    )


@pytest.mark.parametrize("part", ["train", "dev"])
@pytest.mark.parametrize(
    ("keep", "best"),
    [
        (lambda relation: True, {"train": 100.0, "dev": 100.0}),
        (lambda relation: relation.head != relation.tail, {"train": 99.8, "dev": 99.8}),
        (lambda relation: relation.label == "binds", {"train": 94.7, "dev": 94.8}),
    ],
    ids=["everything", "no self pairs", "only label 1"],
)
def test_best_official_scores_that_are_possible(corpora, part, keep, best):
    path = corpora / "biorelex" / f"{part}.json"
    scores = official_scores(json.loads(path.read_text("utf-8")), official(read_biorelex(path).texts, keep))
    assert scores["mention_f"] == 1.0
    assert scores["relation_p"] == 1.0
    assert round(100 * scores["relation_f"], 1) == best[part]
