"""BioRelEx: clusters become mentions, interactions become pairs of mentions, and back again."""

import json

import pytest
from biorelex_sentence import CDC6, LONG_NAME, ORC, TEXT, cluster, sentence
from examples import unworded_texts
from hypothesis import given
from hypothesis import strategies as st

from spacy_bispn.converters import ConversionError
from spacy_bispn.converters.formats.biorelex import (
    SYMMETRIC,
    read_biorelex,
    to_official,
    write_biorelex,
)
from spacy_bispn.records import Extraction, Relation


@pytest.fixture
def read(tmp_path):
    def read_content(content):
        path = tmp_path / "biorelex.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return read_biorelex(path)

    return read_content


def test_every_mention_is_an_entity_and_every_pair_of_mentions_a_relation(read):
    (text,) = read([sentence()]).texts
    assert (text.id, text.text, text.words) == ("a", TEXT, None)
    assert text.extraction.entities == (ORC, LONG_NAME, CDC6)
    assert text.extraction.relations == (Relation(ORC, CDC6, "binds"), Relation(LONG_NAME, CDC6, "binds"))


@pytest.mark.parametrize(("number", "label"), [(1, "binds"), (-1, "not_binds"), (0, "may_bind")])
def test_interaction_labels_have_names_and_no_direction(read, number, label):
    conversion = read([sentence(interactions=[{"participants": [1, 0], "label": number}])])
    relations = conversion.texts[0].extraction.relations
    # The head is the earlier mention, whatever the order of the participants.
    assert relations == (Relation(ORC, CDC6, label), Relation(LONG_NAME, CDC6, label))
    assert label in conversion.symmetric


def test_a_cluster_that_binds_itself_relates_its_mentions_to_themselves_and_each_other(read):
    conversion = read([sentence(interactions=[{"participants": [0, 0], "label": 1}])])
    assert conversion.texts[0].extraction.relations == (
        Relation(ORC, ORC, "binds"),
        Relation(ORC, LONG_NAME, "binds"),
        Relation(LONG_NAME, LONG_NAME, "binds"),
    )
    assert conversion.report.self_relations == 2


def test_what_is_dropped_or_odd_is_reported(read):
    entities = [cluster("protein", ORC=[[0, 3], [0, 3]], Orc1=[]), cluster("protein", Cdc6=[[27, 32]])]
    interactions = [{"participants": [0, 1], "label": 1}] * 2
    report = read([sentence(entities=entities, interactions=interactions)]).report
    assert (report.entities, report.duplicate_entities) == (2, 1)
    assert (report.relations, report.duplicate_relations) == (1, 3)
    assert report.problems == [
        ("a", "the name 'Orc1' has no mention in the text"),
        ("a", "item 0 in line 1: the mention 'Cdc6' marks 'Cdc6p'"),
    ]


def test_two_texts_with_one_id_are_a_problem(read):
    assert read([sentence(), sentence()]).report.problems == [("a", "an earlier text has the same id")]


@pytest.mark.parametrize(
    ("content", "found", "expected"),
    [
        ("", "an empty file", "at least one text"),
        ("[]", "[]", "at least one item"),
        ("{", "invalid JSON", "JSON"),
        ("[1]", "item 0 in line 1: found 1", "an object with the key 'id'"),
        ([{"id": "a"}], "the keys 'id'", "the key 'text'"),
        ([sentence(id=[7])], "'id': [7]", "a string or a whole number"),
        ([sentence(entities=[cluster("protein", X=[[30, 40]])], interactions=[])], "30 to 40", "end <= 33"),
        ([sentence(entities=[cluster("protein", X=[[3]])])], "[3]", "a list of [int, int]"),
        ([sentence(interactions=[{"participants": [0, 2], "label": 1}])], "cluster 2", "one of 2"),
        ([sentence(interactions=[{"participants": [0, 1], "label": 5}])], "label 5", "one of 1, -1, 0"),
    ],
)
def test_malformed_input_is_named(read, content, found, expected):
    with pytest.raises(ConversionError) as error:
        read(content)
    for part in ("biorelex.json", found, expected):
        assert part in str(error.value)


def test_official_form_has_one_cluster_per_mention():
    (written,) = to_official([("a", TEXT, Extraction((CDC6, ORC), (Relation(ORC, CDC6, "may_bind"),)))])
    assert [list(entity["names"]) for entity in written["entities"]] == [["Cdc6p"], ["ORC"]]
    assert written["entities"][0]["names"]["Cdc6p"] == {"is_mentioned": True, "mentions": [[27, 32]]}
    assert written["interactions"] == [{"participants": [0, 1], "type": "bind", "label": 0}]


def test_official_form_keeps_sentences_without_predictions():
    (written,) = to_official([("a", TEXT, Extraction())])
    assert written == {"id": "a", "text": TEXT, "entities": [], "interactions": []}


def test_official_form_refuses_what_the_corpus_cannot_express():
    with pytest.raises(ConversionError, match="'inhibits', expected one of: binds, not_binds, may_bind"):
        to_official([("a", TEXT, Extraction((ORC,), (Relation(ORC, ORC, "inhibits"),)))])
    with pytest.raises(ConversionError, match="Add the entity or leave out the relation"):
        to_official([("a", TEXT, Extraction((ORC,), (Relation(ORC, CDC6, "binds"),)))])


def test_names_of_another_place_are_an_error(read):
    item = sentence(text=f"An {TEXT}")
    with pytest.raises(ConversionError) as caught:
        read([item])
    said = "item 0 in line 1: found 3 of the 3 mentions in 'a' elsewhere than their offsets say"
    for part in (said, "instead of 'ORC'", "Check that text and annotations belong together"):
        assert part in str(caught.value)


def test_names_that_are_only_spelt_otherwise_are_noted(read):
    entities = [
        cluster("complex", Orc=[[0, 3]], origin_complex=[[5, 19]]),
        cluster("protein", cdc6P=[[27, 32]]),
    ]
    report = read([sentence(entities=entities)]).report
    assert (report.entities, report.relations, report.problems) == (3, 2, [])
    assert report.noted == {"mentions whose own text is spelt otherwise than what they mark": 3}


def test_ids_may_be_numbers_or_missing(read):
    nameless = {key: value for key, value in sentence().items() if key != "id"}
    conversion = read([sentence(id=7), nameless, sentence(id=None)])
    assert [text.id for text in conversion.texts] == ["7", "1", "2"]


def test_what_is_not_read_is_counted(read):
    state = cluster("complex", ORC=[[0, 3]]) | {
        "is_mutant": True,
        "is_state": False,
        "grounding": {"link": ""},
    }
    binds = {"participants": [0, 0], "label": 1, "type": "bind", "implicit": True}
    item = sentence(entities=[state], interactions=[binds], url="https://example.org", remark="new")
    assert read([item]).report.dropped == {
        "values of the key 'implicit' of interactions": 1,
        "values of the key 'is_mutant' of entities": 1,
        "values of the key 'remark' of sentences": 1,
    }


@given(st.lists(unworded_texts(st.sampled_from(SYMMETRIC)), min_size=1, max_size=3))
def test_reading_gives_back_what_was_written(tmp_path_factory, texts):
    path, again = (tmp_path_factory.getbasetemp() / name for name in ("once.json", "twice.json"))
    write_biorelex(path, texts)
    # Relations have no direction there: reading turns them, and after that nothing changes.
    read = read_biorelex(path).texts
    assert [(x.id, x.text, x.extraction.entities) for x in read] == [
        (x.id, x.text, x.extraction.entities) for x in texts
    ]
    write_biorelex(again, read)
    assert read_biorelex(again).texts == read


PUBLISHED = [
    # part, texts, mentions, mention pairs, self pairs, nested pairs, names without a mention
    ("train", 1405, 6925, 4190, 30, 899, 30),
    ("dev", 201, 955, 611, 3, 113, 5),
]


@pytest.mark.parametrize(
    ("part", "texts", "mentions", "pairs", "self_pairs", "nested", "unmentioned"), PUBLISHED
)
def test_published_counts(corpora, part, texts, mentions, pairs, self_pairs, nested, unmentioned):
    report = read_biorelex(corpora / "biorelex" / f"{part}.json").report
    assert report.texts == texts
    # The corpus lists some mentions and pairs twice; what is kept and what is dropped add up.
    assert report.entities + report.duplicate_entities == mentions
    assert report.relations + report.duplicate_relations == pairs
    duplicates = {"train": (2, 48), "dev": (0, 1)}
    assert (report.duplicate_entities, report.duplicate_relations) == duplicates[part]
    assert (report.self_relations, report.nested) == (self_pairs, nested)
    assert len(report.problems) == unmentioned
    said = ("has no mention", "the same words and other annotations")
    assert all(any(part in what for part in said) for _, what in report.problems)


def test_interactions_of_a_cluster_without_a_mention_are_counted(read):
    binds = {"participants": [0, 1], "type": "bind", "label": 1}
    item = sentence(entities=[cluster("protein", ORC=[[0, 3]]), cluster("protein")], interactions=[binds])
    conversion = read([item])
    assert conversion.texts[0].extraction.relations == ()
    assert conversion.report.dropped == {"interactions of a cluster without a mention": 1}
