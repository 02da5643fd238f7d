"""Docs made of other Docs, what spaCy's own ways keep, and tables of plain values."""

from __future__ import annotations

import copy
import dataclasses
import json
import pickle
import sys
import types
from collections.abc import Callable
from pathlib import Path

import pytest
import spacy
import srsly
from spacy.tokens import Doc, DocBin, Span
from spacy.training import Corpus, Example
from spacy.training.augment import create_lower_casing_augmenter, create_orth_variants_augmenter

from spacy_bispn import Entity, Relation, as_doc, from_docs, get_relations, set_annotations, to_rows
from spacy_bispn.annotations import has_entities, has_relations, read, write
from spacy_bispn.doc_storage import KEY
from spacy_bispn.records import Extraction, Mention

NLP = spacy.blank("en")
TEXT = "Rov binds Tem and Dal here."
ROV, TEM, DAL = Entity(0, 3, "GENE", 0.5), Entity(10, 13, "DRUG", 0.75), Entity(18, 21, "DRUG")
BOTH = Entity(10, 21, "GROUP", 0.25)
SAID = Extraction((ROV, TEM, BOTH, DAL), (Relation(ROV, TEM, "BINDS", 0.125), Relation(DAL, TEM, "WITH")))


def make(text: str = TEXT, said: Extraction = SAID) -> Doc:
    doc = NLP.make_doc(text)
    write(doc, said)
    return doc


def scores(doc: Doc) -> list[float]:
    found = read(doc)
    return sorted(x.score for x in (*found.entities, *found.relations))


def through_json(doc: Doc) -> Doc:
    return Doc(NLP.vocab).from_json(srsly.json_loads(srsly.json_dumps(doc.to_json())))


def through_example(doc: Doc) -> Doc:
    return Example.from_dict(NLP.make_doc(doc.text), Example(NLP.make_doc(doc.text), doc).to_dict()).reference


SPACYS: dict[str, Callable[[Doc], Doc]] = {
    "Doc.from_docs": lambda doc: Doc.from_docs([doc]),
    "from_json": through_json,
    "from_json twice": lambda doc: through_json(through_json(doc)),
    "Example.from_dict": through_example,
    "from_docs, JSON, Example": lambda doc: through_example(through_json(Doc.from_docs([doc]))),
}


@pytest.mark.parametrize("way", SPACYS)
def test_the_ways_of_spacy_keep_entities_and_relations_and_lose_scores(way: str) -> None:
    doc = SPACYS[way](make())
    assert read(doc) == SAID and has_relations(doc)
    assert set(scores(doc)) == {1.0}, "as docs/annotations.md says"
    assert [(x.head.text, x.label, x.tail.text) for x in doc._.relations] == [
        ("Rov", "BINDS", "Tem"), ("Dal", "WITH", "Tem"),
    ]  # fmt: skip


@pytest.mark.parametrize("way", SPACYS)
def test_the_ways_of_spacy_keep_that_there_are_none(way: str) -> None:
    doc = SPACYS[way](make(said=Extraction()))
    assert has_relations(doc) and read(doc) == Extraction()
    silent = NLP.make_doc(TEXT)
    set_annotations(silent, [Span(silent, 0, 1, label="GENE")])
    assert not has_relations(SPACYS[way](silent))
    assert [entity.label for entity in read(SPACYS[way](silent)).entities] == ["GENE"]


def test_span_as_doc_of_spacy_loses_relations() -> None:
    part = make()[0:3].as_doc()
    assert not has_relations(part) and KEY not in part.spans, "as docs/annotations.md says"


# as_doc


def test_a_part_has_what_is_inside() -> None:
    doc = make("Here " + TEXT, moved(SAID, 5))
    part = as_doc(doc[1:5])
    assert part.text.strip() == "Rov binds Tem and"
    assert read(part) == Extraction((ROV, TEM), (Relation(ROV, TEM, "BINDS"),))
    assert scores(part) == [0.125, 0.5, 0.75]
    assert [span.text for span in part.ents] == ["Rov", "Tem"]
    whole = as_doc(doc[:])
    assert read(whole) == moved(SAID, 5) and whole.text == doc.text
    assert read(as_doc(doc[2:3])) == Extraction() and has_relations(as_doc(doc[2:3]))


def moved(said: Extraction, by: int) -> Extraction:
    places = {x: dataclasses.replace(x, start=x.start + by, end=x.end + by) for x in said.entities}
    links = (Relation(places[x.head], places[x.tail], x.label, x.score) for x in said.relations)
    return Extraction(tuple(places.values()), tuple(links))


def test_a_part_says_no_more_than_its_doc() -> None:
    silent = NLP.make_doc(TEXT)
    assert not has_entities(as_doc(silent[0:2]))
    silent.ents = [Span(silent, 0, 1, label="GENE")]
    assert has_entities(as_doc(silent[0:2])) and not has_relations(as_doc(silent[0:2]))


def test_user_data_is_copied_where_it_is_asked_for() -> None:
    doc = make()
    doc.user_data["source"] = "page 1"
    assert as_doc(doc[0:3], copy_user_data=True).user_data["source"] == "page 1"
    assert not as_doc(doc[0:3]).user_data


def test_a_part_of_merged_tokens() -> None:
    doc = make()
    with doc.retokenize() as retokenizer:
        retokenizer.merge(doc[1:3])  # "binds Tem"
    part = as_doc(doc[0:2])
    assert [(x.head.text, x.label, x.tail.text) for x in part._.relations] == [("Rov", "BINDS", "Tem")]
    assert read(part).entities == (ROV, TEM)


# from_docs


@pytest.mark.parametrize("join", [from_docs, Doc.from_docs], ids=["ours", "spaCy's"])
def test_joined_docs_have_the_relations_of_all(join: Callable[[list[Doc]], Doc]) -> None:
    second = "Dal is near Rov.\n"
    near = Extraction((Entity(0, 3, "DRUG"), Entity(12, 15, "GENE")), ())
    near = Extraction(
        near.entities, (Relation(*near.entities, "NEAR"), Relation(*near.entities[::-1], "NEAR"))
    )
    docs = [make(), NLP.make_doc(""), make(second, near), make()]
    joined = join(docs)
    assert [(x.head.text, x.label, x.tail.text) for x in joined._.relations] == [
        ("Rov", "BINDS", "Tem"), ("Dal", "WITH", "Tem"), ("Dal", "NEAR", "Rov"), ("Rov", "NEAR", "Dal"),
        ("Rov", "BINDS", "Tem"), ("Dal", "WITH", "Tem"),
    ]  # fmt: skip
    assert [relation.head.start_char for relation in joined._.relations] == [0, 18, 28, 40, 45, 63]
    assert [span.text for span in joined.ents] == [span.text for doc in docs for span in doc.ents]


def test_joined_docs_keep_scores_and_other_groups_and_count_corrections() -> None:
    docs = [make(), make()]
    docs[1].spans["sc"] = [docs[1][1:2]]
    with docs[0].retokenize() as retokenizer:
        retokenizer.merge(docs[0][1:3])  # "binds Tem": spaCy's own raises E873
    joined = from_docs(docs)
    assert joined is not None
    assert scores(joined) == sorted(scores(docs[0]) + scores(docs[1]))
    assert [span.text for span in joined.spans["sc"]] == ["binds"] and joined.spans["sc"][0].start == 7
    joined.ents = [span for span in joined.ents if span.start_char > 5]
    assert len(joined._.relations) == 3, "the first Rov is none any more"


def test_joined_docs_say_as_much_as_the_best_of_them() -> None:
    assert from_docs([]) is None
    silent = NLP.make_doc("Tem binds.")
    silent.ents = [Span(silent, 0, 1, label="DRUG")]
    joined = from_docs([silent, NLP.make_doc("so")])
    assert joined is not None and not has_relations(joined) and len(read(joined).entities) == 1
    joined = from_docs([silent, make()])
    assert joined is not None and has_relations(joined) and len(read(joined).entities) == 5
    joined = from_docs([make(), make()], exclude=["spans"])
    assert joined is not None and not joined.spans
    joined = from_docs([make(), make()], ensure_whitespace=False)
    assert joined is not None and joined.text == TEXT * 2 and len(joined._.relations) == 4


# spaCy's augmenters under spacy.Corpus.v1


def augmented(tmp_path: Path, doc: Doc, augmenter: Callable[..., object]) -> Doc:
    DocBin(docs=[doc]).to_disk(tmp_path / "train.spacy")
    (example,) = Corpus(tmp_path / "train.spacy", augmenter=augmenter)(NLP)
    return example.reference


def test_a_lower_casing_augmenter_keeps_relations(tmp_path: Path) -> None:
    doc = augmented(tmp_path, make(), create_lower_casing_augmenter(1.0))
    assert doc.text == TEXT.lower() and read(doc) == SAID
    assert [x.head.text for x in doc._.relations] == ["rov", "dal"]


def test_an_orth_variants_augmenter_keeps_relations(tmp_path: Path) -> None:
    doc = make()
    for token in doc:
        token.tag_ = "." if token.text == "." else "NN"
    variants = {"single": [{"tags": ["."], "variants": [".", "!"]}], "paired": []}
    found = augmented(tmp_path, doc, create_orth_variants_augmenter(1.0, 1.0, variants))
    assert found.text.startswith("rov binds tem") and read(found) == SAID


# Plain values


TEM_ROW = {"tail": "Tem", "tail_label": "DRUG", "tail_start": 10, "tail_end": 13}
ROWS = [
    {"label": "BINDS", "score": 0.125, "head": "Rov", "head_label": "GENE", "head_start": 0, "head_end": 3},
    {"label": "WITH", "score": 1.0, "head": "Dal", "head_label": "DRUG", "head_start": 18, "head_end": 21},
]
ROWS = [row | TEM_ROW for row in ROWS]


def test_rows_of_one_doc_and_of_many() -> None:
    doc = make()
    assert [relation.to_dict() for relation in doc._.relations] == ROWS
    assert to_rows(doc) == [{"doc": 0, **row} for row in ROWS]
    rows = to_rows(iter([doc, NLP.make_doc("nothing"), doc]))
    assert rows == [{"doc": number, **row} for number in (0, 2) for row in ROWS]
    assert json.loads(json.dumps(rows)) == rows, "plain values"


def test_a_record_has_no_words() -> None:
    row = SAID.relations[0].to_dict()
    assert row == {name: value for name, value in ROWS[0].items() if name not in ("head", "tail")}


def test_dataclasses_copy_and_pickle_take_a_relation_apart() -> None:
    (relation, _) = get_relations(make())
    plain = dataclasses.asdict(relation)
    assert plain == {
        "head": {"text": "Rov", "label_": "GENE", "start_char": 0, "end_char": 3},
        "tail": {"text": "Tem", "label_": "DRUG", "start_char": 10, "end_char": 13},
        "label": "BINDS", "score": 0.125,
    }  # fmt: skip
    assert json.loads(json.dumps(plain)) == plain
    head, tail = Mention("Rov", "GENE", 0, 3), Mention("Tem", "DRUG", 10, 13)
    for copied in (pickle.loads(pickle.dumps(relation)), copy.deepcopy(relation), copy.copy(relation)):
        assert copied == Relation(head, tail, "BINDS") and copied.score == 0.125
        assert copied.to_dict() == ROWS[0]
    doc = make()
    given = Relation(doc[0:1], doc[2:3], "BINDS")  # with spaCy's own Spans
    assert pickle.loads(pickle.dumps(given)).head.text == "Rov"


def test_pandas_makes_a_table_of_relations() -> None:
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(make()._.relations)
    assert list(table["label"]) == ["BINDS", "WITH"] and table["head"][0]["text"] == "Rov"
    assert list(pandas.DataFrame(to_rows(make()))["tail"]) == ["Tem", "Tem"]


def test_json_with_the_attribute_keeps_scores() -> None:
    doc = make()
    made = doc.to_json(underscore=["relations"])
    assert json.loads(srsly.json_dumps(made))["_"]["relations"] == ROWS
    assert json.loads(json.dumps(made, default=Relation.to_dict))["_"]["relations"] == ROWS
    for value in (made, srsly.json_loads(srsly.json_dumps(made))):
        back = Doc(NLP.vocab).from_json(value)
        assert read(back) == SAID
        assert [relation.score for relation in back._.relations] == [0.125, 1.0]


def test_the_package_offers_what_is_public() -> None:
    import spacy_bispn

    for name in spacy_bispn.__all__:
        assert name in dir(spacy_bispn) and (name == "__version__" or callable(getattr(spacy_bispn, name)))
    with pytest.raises(AttributeError, match="module 'spacy_bispn' has no attribute 'relate'"):
        spacy_bispn.relate  # noqa: B018
    assert isinstance(sys.modules["spacy_bispn.annotations"], types.ModuleType)
    assert spacy_bispn.annotations is sys.modules["spacy_bispn.annotations"], "no name hides a module"
