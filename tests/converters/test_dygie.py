"""DyGIE JSON Lines: indices that count a document's tokens, ends included, and documents of sentences."""

import json

import pytest

from spacy_bispn.converters import ConversionError
from spacy_bispn.converters.formats.dygie import SYMMETRIC, read_dygie
from spacy_bispn.records import Relation

DOCUMENT = {
    "doc_key": "H01",
    "sentences": [["BERT", "-LRB-", "a", "parser", "-RRB-"], ["It", "beats", "GPT", "."]],
    "ner": [[[0, 0, "Method"], [3, 3, "Task"]], [[5, 5, "Generic"], [7, 7, "Method"]]],
    "relations": [[[0, 0, 3, 3, "USED-FOR"]], [[7, 7, 5, 5, "COMPARE"]]],
    "clusters": [[[0, 0], [5, 5]]],
}


@pytest.fixture
def read(tmp_path):
    def read_documents(*documents, **settings):
        path = tmp_path / "scierc.json"
        path.write_text("".join(json.dumps(each) + "\n" for each in documents), encoding="utf-8")
        return read_dygie(path, **settings)

    return read_documents


def said(text):
    """Entities and relations of a text, in words."""
    words = {entity: text.text[entity.start : entity.end] for entity in text.extraction.entities}
    relations = [(words[x.head], x.label, words[x.tail]) for x in text.extraction.relations]
    return list(words.values()), relations


def test_sentences_are_texts_of_their_own(read):
    conversion = read(DOCUMENT)
    first, second = conversion.texts
    assert (first.id, second.id) == ("H01:0", "H01:1")
    assert first.text == "BERT ( a parser )"
    assert first.words == ("BERT", "(", "a", "parser", ")")
    assert said(first) == (["BERT", "parser"], [("BERT", "USED-FOR", "parser")])
    assert said(second) == (["It", "GPT"], [("GPT", "COMPARE", "It")])
    assert [entity.kb_id for text in conversion.texts for entity in text.extraction.entities] == [
        "H01#0",
        "",
        "H01#0",
        "",
    ]
    assert conversion.report.noted == {"coreference clusters": 1} and not conversion.report.dropped


def test_a_document_may_be_one_text(read):
    (text,) = read(DOCUMENT, level="document").texts
    assert text.id == "H01"
    assert text.text == "BERT ( a parser ) It beats GPT ."
    assert said(text) == (
        ["BERT", "parser", "It", "GPT"],
        [("BERT", "USED-FOR", "parser"), ("GPT", "COMPARE", "It")],
    )


def test_symmetric_labels_have_to_be_asked_for(read):
    second = read(DOCUMENT, symmetric=SYMMETRIC).texts[1]
    assert said(second)[1] == [("It", "COMPARE", "GPT")]


def test_what_crosses_sentences_is_dropped_and_counted(read):
    crossing = DOCUMENT | {
        "ner": [[[0, 0, "Method"], [4, 5, "Odd"]], [[7, 7, "Method"]]],
        "relations": [[[0, 0, 7, 7, "COMPARE"]], [[4, 5, 7, 7, "USED-FOR"]]],
        "events": [[[[1, "Attack"]]], []],
    }
    joined = (["BERT", ") It", "GPT"], [("BERT", "COMPARE", "GPT"), (") It", "USED-FOR", "GPT")])
    for level in ("sentence", "2", "document"):  # sentences are not cut where an entity goes on
        conversion = read(crossing, level=level)
        assert [said(text) for text in conversion.texts] == [joined]
        assert conversion.report.dropped["events"] == 1
    split = {"ner": [[[0, 0, "Method"], [4, 4, "Odd"]], [[7, 7, "Method"]]],
             "relations": [[[0, 0, 7, 7, "COMPARE"]], [[4, 4, 7, 7, "USED-FOR"]]]}  # fmt: skip
    conversion = read(crossing | split)
    assert [said(text) for text in conversion.texts] == [(["BERT", ")"], []), (["GPT"], [])]
    assert conversion.report.dropped["relations that join two texts"] == 2


def test_sentences_without_words_are_no_texts_unless_there_is_nothing_else(read):
    for sentences, texts in (([[], ["No"], []], ["No"]), ([[], []], [""])):
        none = [[] for _ in sentences]
        found = read({"doc_key": "a", "sentences": sentences, "ner": none, "relations": none}).texts
        assert [text.text for text in found] == texts and found[0].id == "a:0"


@pytest.mark.parametrize("level", ["sentence", "document"])
@pytest.mark.parametrize(
    ("change", "found", "expected"),
    [
        ({"ner": [[[8, 9, "Task"]], []], "relations": [[], []]}, "8 to 10", "end <= 9 tokens, ends included"),
        ({"ner": [[[-1, 0, "Task"]], []], "relations": [[], []]}, "-1 to 1", "0 <= start"),
        ({"ner": [[[3, 2, "Task"]], []], "relations": [[], []]}, "3 to 3", "start < end"),
        ({"ner": [[[3, "Task"]], []]}, "[3, 'Task']", "a list of [int, int, str]"),
        ({"ner": [[]]}, "1 lists in 'ner'", "one for each of the 2 sentences"),
        ({"ner": [{}, []]}, "[{}, []]", "a list of [list, list]"),
        ({"relations": [[[0, 0, 1, 1, "USED-FOR"]], []]}, "the span (1, 1)", "one of the 4 listed"),
        (
            {"relations": [[[0, 0, "USED-FOR"]], []]},
            "[0, 0, 'USED-FOR']",
            "a list of [int, int, int, int, str]",
        ),
        ({"sentences": ["BERT", "It"]}, "the sentence 'BERT'", "a list of tokens"),
        ({"sentences": [[1], []]}, "[1]", "a list of [str]"),
        ({"doc_key": 1.5}, "'doc_key': 1.5", "a string or a whole number"),
        ({"clusters": {}}, "'clusters': {}", "type list"),
    ],
)
def test_malformed_documents_are_named_with_their_line(read, change, found, expected, level):
    with pytest.raises(ConversionError) as error:
        read(DOCUMENT, DOCUMENT | change, level=level)
    for part in ("scierc.json, line 2", found, expected):
        assert part in str(error.value)
    conversion = read(DOCUMENT | change, DOCUMENT, level=level, lenient=True)
    # A document is read whole or not at all.
    assert len(conversion.texts) == (2 if level == "sentence" else 1)
    assert conversion.report.noted == {"coreference clusters": 1} and not conversion.report.dropped


def test_an_unknown_level_is_named(read):
    with pytest.raises(
        ValueError, match=r"level is 'line', expected sentence, document, or how many .* has, .*: choose"
    ):
        read(DOCUMENT, level="line")


TWO = {
    "doc_key": 7,
    "sentences": [["Acme", "hired", "Bob", "."], ["He", "left", "Rome", "for", "Paris", "."]],
    "ner": [[[0, 0, "ORG"], [2, 2, "PER"]], [[4, 4, "PER"], [6, 6, "GPE"], [8, 8, "GPE"]]],
    "relations": [[[0, 0, 2, 2, "hires"]], [[4, 4, 6, 6, "left"]]],
}
ELSEWHERE = "rows in another sentence than that of their list"


@pytest.mark.parametrize("level", ["sentence", "document"])
@pytest.mark.parametrize(
    ("change", "found"),
    [
        (
            {
                "ner": [TWO["ner"][0], [[0, 0, "PER"], [2, 2, "GPE"]]],
                "relations": [[], [[0, 0, 2, 2, "left"]]],
            },
            f"3 of 3 {ELSEWHERE} (here a 'PER' at tokens 0 to 0 in the list of sentence 1, which is 4 to 9)",
        ),
        (
            {
                "relations": [[[0, 0, 2, 2, "hires"], [4, 4, 6, 6, "left"]], []],
                "ner": [[*TWO["ner"][0], *TWO["ner"][1]], []],
            },
            f"4 of 4 {ELSEWHERE} (here a 'PER' at tokens 4 to 4 in the list of sentence 0, which is 0 to 3)",
        ),
        ({"ner": [[[0, 0, "ORG"]], [[0, 0, "PER"]]], "relations": [[], []]}, f"1 of 1 {ELSEWHERE}"),
    ],
)
def test_rows_counted_from_their_sentence_are_an_error(read, change, found, level):
    with pytest.raises(ConversionError) as caught:
        read(TWO | change, level=level)
    for part in (
        "scierc.json, line 1: found",
        found,
        "counted in tokens of the whole document",
        "Add the number",
    ):
        assert part in str(caught.value)
    conversion = read(TWO | change, TWO | {"doc_key": 8}, level=level, lenient=True)
    assert {text.id.split(":")[0] for text in conversion.texts} == {"8"}
    assert found in conversion.report.errors[0]


def test_a_row_in_the_list_of_another_sentence_is_a_problem(read):
    ner = [[*TWO["ner"][0], [8, 8, "GPE"]], TWO["ner"][1][:2]]
    conversion = read(TWO | {"ner": ner})
    assert [said(text)[0] for text in conversion.texts] == [["Acme", "Bob"], ["Paris", "He", "Rome"]]
    what = "line 1: a 'GPE' at tokens 8 to 8 in the list of sentence 0, which is 0 to 3"
    assert conversion.report.problems == [("7", what)]


def test_keys_may_be_numbers_or_missing(read):
    nameless = {key: value for key, value in TWO.items() if key != "doc_key"}
    conversion = read(TWO, nameless, nameless | {"doc_key": None}, TWO | {"doc_key": "7"}, level="document")
    assert [text.id for text in conversion.texts] == ["7", "1", "2", "7"]
    assert conversion.report.problems == [("7", "an earlier text has the same id")]


def test_only_clusters_with_something_in_them_are_counted(read):
    for clusters, count in (([], {}), ([[]], {}), ([[], [[0, 0], [4, 4]], []], {"coreference clusters": 1})):
        assert read(TWO | {"clusters": clusters}).report.noted == count


def test_mentions_of_clusters_that_are_no_entities_are_counted(read):
    report = read(TWO | {"clusters": [[[0, 0], [3, 3], [77, 78]]]}).report
    assert report.dropped == {"mentions of coreference clusters that are no entities": 2}


@pytest.mark.parametrize("cluster", [1, [1], [[0]], [[0, "0"]], [[0, 0, "x"]]])
def test_malformed_clusters_are_errors(read, cluster):
    with pytest.raises(ConversionError, match=r"line 1: found .* expected a list of .* Change the value"):
        read(TWO | {"clusters": [cluster]})


def test_keys_that_are_not_read_are_counted(read):
    more = {
        "event_clusters": [[[1, 1]]],
        "predicted_ner": [[[0, 0, "ORG", 9.5, 0.9]], []],
        "predicted_relations": [[], []],
        "dataset": None,
        "weight": 0,
        "deep": json.loads("[" * 500 + "]" * 500),
    }
    conversion = read(TWO | more, TWO | more | {"doc_key": 8, "event_clusters": [[]]})
    assert conversion.report.dropped == {
        "values of the key 'event_clusters' of documents": 1,
        "values of the key 'predicted_ner' of documents": 2,
        "values of the key 'weight' of documents": 2,
    }
    assert conversion.report.entities == 10


PUBLISHED = [
    # part, sentences, documents, entities, relations and duplicates of them, nested pairs, clusters
    ("train", 1861, 350, 5598, 3219, 4, 61),
    ("dev", 275, 50, 811, 455, 0, 7),
]


@pytest.mark.parametrize(
    ("part", "sentences", "documents", "entities", "relations", "duplicates", "nested"), PUBLISHED
)
def test_published_counts_of_scierc(
    corpora, part, sentences, documents, entities, relations, duplicates, nested
):
    path = corpora / "scierc" / f"{part}.json"
    report = read_dygie(path).report
    assert (report.texts, report.entities, report.nested) == (sentences, entities, nested)
    assert (report.relations, report.duplicate_relations) == (relations - duplicates, duplicates)
    assert set(report.noted) == {"coreference clusters"} and not report.problems and not report.dropped
    whole = read_dygie(path, level="document").report
    assert (whole.texts, whole.entities) == (documents, entities)
    assert (whole.relations, whole.duplicate_relations) == (relations - duplicates, duplicates)


def test_symmetric_relations_of_scierc_start_with_the_earlier_entity(corpora):
    path = corpora / "scierc" / "train.json"
    flipped = 0
    for free, fixed in zip(read_dygie(path).texts, read_dygie(path, symmetric=SYMMETRIC).texts, strict=True):
        for relation in free.extraction.relations:
            later = relation.label in SYMMETRIC and relation.tail < relation.head
            flipped += later
            wanted = Relation(relation.tail, relation.head, relation.label) if later else relation
            assert wanted in fixed.extraction.relations
    assert flipped == 52
    assert not any("-LRB-" in text.text for text in read_dygie(path).texts)


def test_a_document_is_kept_whole_or_not_at_all(read):
    broken = DOCUMENT | {"doc_key": "H02", "sentences": [DOCUMENT["sentences"][0], ["It", "", "GPT", "."]]}
    conversion = read(broken, DOCUMENT, lenient=True)
    assert [text.id for text in conversion.texts] == ["H01:0", "H01:1"]
    (error,) = conversion.report.errors
    assert "line 1: found an empty word, number 6 of 9 counted from 0, expected words of at least" in error
    assert "Leave it out" in error and conversion.report.noted == {"coreference clusters": 1}
