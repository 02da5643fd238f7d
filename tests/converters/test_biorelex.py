"""BioRelEx: clusters become mentions, interactions become pairs of mentions, and back again."""

import json

import pytest
from examples import unworded_texts
from hypothesis import given
from hypothesis import strategies as st

from spacy_bispn.converters import ConversionError, biorelex
from spacy_bispn.records import Entity, Extraction, Relation

TEXT = "ORC (origin complex) binds Cdc6p."
ORC, LONG_NAME, CDC6 = Entity(0, 3, "complex"), Entity(5, 19, "complex"), Entity(27, 32, "protein")


def cluster(label, **names):
    spans = {name: {"is_mentioned": bool(mentions), "mentions": mentions} for name, mentions in names.items()}
    return {"label": label, "names": spans}


def sentence(**changes):
    return {
        "id": "a",
        "text": TEXT,
        "entities": [
            cluster("complex", ORC=[[0, 3]], **{"origin complex": [[5, 19]]}),
            cluster("protein", Cdc6p=[[27, 32]]),
        ],
        "interactions": [{"participants": [0, 1], "type": "bind", "label": 1}],
        **changes,
    }


@pytest.fixture
def read(tmp_path):
    def read_content(content):
        path = tmp_path / "biorelex.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return biorelex.read(path)

    return read_content


def official(texts, keep=lambda relation: True):
    """The official prediction of everything that is kept of the gold."""
    return biorelex.to_official(
        (
            text.id,
            text.text,
            Extraction(text.extraction.entities, tuple(filter(keep, text.extraction.relations))),
        )
        for text in texts
    )


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
        ("a", "the name 'Cdc6' marks 'Cdc6p' at 27 to 32"),
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
        ([sentence(id=7)], "'id': 7", "a value of type str"),
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
    (written,) = biorelex.to_official(
        [("a", TEXT, Extraction((CDC6, ORC), (Relation(ORC, CDC6, "may_bind"),)))]
    )
    assert [list(entity["names"]) for entity in written["entities"]] == [["Cdc6p"], ["ORC"]]
    assert written["entities"][0]["names"]["Cdc6p"] == {"is_mentioned": True, "mentions": [[27, 32]]}
    assert written["interactions"] == [{"participants": [0, 1], "type": "bind", "label": 0}]


def test_official_form_keeps_sentences_without_predictions():
    (written,) = biorelex.to_official([("a", TEXT, Extraction())])
    assert written == {"id": "a", "text": TEXT, "entities": [], "interactions": []}


def test_official_form_refuses_what_the_corpus_cannot_express():
    with pytest.raises(ConversionError, match="'inhibits', expected one of: binds, not_binds, may_bind"):
        biorelex.to_official([("a", TEXT, Extraction((ORC,), (Relation(ORC, ORC, "inhibits"),)))])
    with pytest.raises(ConversionError, match="Add the entity or leave out the relation"):
        biorelex.to_official([("a", TEXT, Extraction((ORC,), (Relation(ORC, CDC6, "binds"),)))])


@given(st.lists(unworded_texts(st.sampled_from(biorelex.SYMMETRIC)), min_size=1, max_size=3))
def test_reading_gives_back_what_was_written(tmp_path_factory, texts):
    path, again = (tmp_path_factory.getbasetemp() / name for name in ("once.json", "twice.json"))
    biorelex.write(path, texts)
    # Relations have no direction there: reading turns them, and after that nothing changes.
    read = biorelex.read(path).texts
    assert [(x.id, x.text, x.extraction.entities) for x in read] == [
        (x.id, x.text, x.extraction.entities) for x in texts
    ]
    biorelex.write(again, read)
    assert biorelex.read(again).texts == read


def test_official_mention_scores_ignore_types():
    predicted = biorelex.to_official(
        [("a", TEXT, Extraction((Entity(0, 3, "drug"), Entity(20, 26, "verb"))))]
    )
    scores = biorelex.official_scores([sentence()], predicted)
    assert (scores["mention_p"], scores["mention_r"]) == (1 / 2, 1 / 3)


def relation_scores(relations, gold):
    predicted = biorelex.to_official([("a", TEXT, Extraction((ORC, LONG_NAME, CDC6), tuple(relations)))])
    scores = biorelex.official_scores([gold], predicted)
    return scores["relation_p"], scores["relation_r"]


BOTH_NAMES = [Relation(ORC, CDC6, "binds"), Relation(LONG_NAME, CDC6, "binds")]
DIMER = Relation(CDC6, CDC6, "binds")


def test_official_relation_scores_want_every_pair_of_names_of_an_interaction():
    assert relation_scores(BOTH_NAMES, sentence()) == (1.0, 1.0)
    assert relation_scores(BOTH_NAMES[:1], sentence()) == (0.0, 0.0)


def test_official_relation_scores_blame_foreign_pairs_but_not_those_of_a_partly_found_interaction():
    two = sentence(interactions=[{"participants": [0, 1]}, {"participants": [1, 1]}])
    assert relation_scores([DIMER, BOTH_NAMES[0]], two) == (1.0, 0.5)
    assert relation_scores([DIMER, *BOTH_NAMES], sentence()) == (0.5, 1.0)


def test_official_relation_scores_compare_names_wherever_they_stand():
    text = "ORC binds Cdc6p, ORC does."
    first, second = Entity(0, 3, "complex"), Entity(17, 20, "complex")
    cdc6 = Entity(10, 15, "protein")
    near = Extraction((first, cdc6), (Relation(first, cdc6, "binds"),))
    far = Extraction((second, cdc6), (Relation(second, cdc6, "binds"),))
    gold, predicted = biorelex.to_official([("a", text, near)]), biorelex.to_official([("a", text, far)])
    scores = biorelex.official_scores(gold, predicted)
    assert (scores["mention_f"], scores["relation_f"]) == (0.5, 1.0)


def test_official_relation_scores_ignore_labels_and_count_repeated_interactions():
    repeated = sentence(interactions=[{"participants": [0, 1], "label": 1}] * 2 + [{"participants": [0, 0]}])
    relabelled = [Relation(relation.head, relation.tail, "not_binds") for relation in BOTH_NAMES]
    assert relation_scores(relabelled, repeated) == (1.0, 2 / 3)


def test_official_scores_leave_out_missing_sentences_with_a_warning():
    with pytest.warns(UserWarning, match="no prediction for 1 of 2 gold sentences"):
        scores = biorelex.official_scores([sentence(), sentence(id="b")], [sentence()])
    assert scores["mention_r"] == scores["relation_r"] == 1.0


PUBLISHED = [
    # part, texts, mentions, mention pairs, self pairs, nested pairs, names without a mention
    ("train", 1405, 6925, 4190, 30, 899, 29),
    ("dev", 201, 955, 611, 3, 113, 5),
]


@pytest.mark.parametrize(
    ("part", "texts", "mentions", "pairs", "self_pairs", "nested", "unmentioned"), PUBLISHED
)
def test_published_counts(corpora, part, texts, mentions, pairs, self_pairs, nested, unmentioned):
    report = biorelex.read(corpora / "biorelex" / f"{part}.json").report
    assert report.texts == texts
    # The corpus lists some mentions and pairs twice; what is kept and what is dropped add up.
    assert report.entities + report.duplicate_entities == mentions
    assert report.relations + report.duplicate_relations == pairs
    duplicates = {"train": (2, 48), "dev": (0, 1)}
    assert (report.duplicate_entities, report.duplicate_relations) == duplicates[part]
    assert (report.self_relations, report.nested) == (self_pairs, nested)
    assert len(report.problems) == unmentioned
    assert all("has no mention" in what for _, what in report.problems)


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
    scores = biorelex.official_scores(
        json.loads(path.read_text("utf-8")), official(biorelex.read(path).texts, keep)
    )
    assert scores["mention_f"] == 1.0
    assert scores["relation_p"] == 1.0
    assert round(100 * scores["relation_f"], 1) == best[part]


def test_interactions_of_a_cluster_without_a_mention_are_counted(read):
    binds = {"participants": [0, 1], "type": "bind", "label": 1}
    item = sentence(entities=[cluster("protein", ORC=[[0, 3]]), cluster("protein")], interactions=[binds])
    conversion = read([item])
    assert conversion.texts[0].extraction.relations == ()
    assert conversion.report.dropped == {"interactions of a cluster without a mention": 1}
