"""SpERT JSON: offsets in tokens become offsets in characters of the space-joined text."""

import json

import pytest
from examples import annotated_texts
from hypothesis import given
from hypothesis import strategies as st

from spacy_bispn.converters import ConversionError
from spacy_bispn.converters.formats.spert import read_spert, write_spert
from spacy_bispn.records import AnnotatedText, Entity, Extraction, Relation
from spacy_bispn.settings import SettingError

WORDS = ["Intravenous", "azithromycin", "-", "induced", "ototoxicity", "."]
EFFECT, DRUG = Entity(35, 46, "Adverse-Effect"), Entity(12, 24, "Drug")


def sentence(**changes):
    return {
        "tokens": WORDS,
        "entities": [
            {"type": "Adverse-Effect", "start": 4, "end": 5},
            {"type": "Drug", "start": 1, "end": 2},
        ],
        "relations": [{"type": "Adverse-Effect", "head": 0, "tail": 1}],
        "orig_id": 83,
        **changes,
    }


@pytest.fixture
def save(tmp_path):
    def save_as_json(content, name="ade.json"):
        path = tmp_path / name
        path.write_text(json.dumps(content), encoding="utf-8")
        return path

    return save_as_json


def test_token_offsets_become_character_offsets(save):
    (text,) = read_spert(save([sentence()])).texts
    assert text.id == "83"
    assert text.text == "Intravenous azithromycin - induced ototoxicity ."
    assert text.words == tuple(WORDS)
    assert text.extraction == Extraction((EFFECT, DRUG), (Relation(EFFECT, DRUG, "Adverse-Effect"),))
    assert [text.text[entity.start : entity.end] for entity in text.extraction.entities] == [
        "ototoxicity",
        "azithromycin",
    ]


def test_a_sentence_without_id_is_named_by_its_position(save):
    items = [sentence(), sentence()]
    for item in items:
        del item["orig_id"]
    assert [text.id for text in read_spert(save(items)).texts] == ["0", "1"]


def test_a_fold_is_a_list_of_ids_in_order(save):
    full = save([sentence(orig_id=number) for number in range(3)])
    splits = save({"folds": [{"fold": 0, "train": [2, "0"], "test": [1]}, {"train": [9]}]}, "splits.json")
    assert [text.id for text in read_spert(full, splits=splits).texts] == ["2", "0"]
    assert [text.id for text in read_spert(full, splits=splits, part="test").texts] == ["1"]
    with pytest.raises(ConversionError, match=r"no sentence with id 9, expected every id asked for\. Check"):
        read_spert(full, splits=splits, fold=1)
    with pytest.raises(ConversionError, match=r"asked for fold 2, expected 0 to 1\. Choose"):
        read_spert(full, splits=splits, fold=2)
    with pytest.raises(SettingError, match=r"part is 'dev', expected train or test: choose one of these"):
        read_spert(full, splits=splits, part="dev")


@pytest.mark.parametrize(
    ("change", "found", "expected"),
    [
        ({"entities": [{"type": "Drug", "start": 5, "end": 7}]}, "5 to 7", "end <= 6 tokens"),
        ({"entities": [{"type": "Drug", "start": 2, "end": 2}]}, "2 to 2", "start < end"),
        ({"entities": [{"type": "Drug", "start": True, "end": 2}]}, "'start': True", "type int"),
        ({"relations": [{"type": "Adverse-Effect", "head": 0, "tail": 2}]}, "entity 2", "one of 2"),
        ({"relations": [{"type": "Adverse-Effect", "head": -1, "tail": 1}]}, "entity -1", "one of 2"),
        ({"tokens": "a b"}, "'tokens': 'a b'", "type list"),
        ({"tokens": ["a", 1]}, "['a', 1]", "a list of [str, str]"),
    ],
)
def test_malformed_input_is_named(save, change, found, expected):
    with pytest.raises(ConversionError) as error:
        read_spert(save([sentence(**change)]))
    for part in ("ade.json, item 0 in line 1", found, expected):
        assert part in str(error.value)


@given(st.lists(annotated_texts(joined=True), min_size=1, max_size=3))
def test_reading_gives_back_what_was_written(tmp_path_factory, texts):
    path = tmp_path_factory.getbasetemp() / "round-trip.json"
    write_spert(path, texts)
    assert read_spert(path).texts == texts


def test_spaces_of_a_text_are_not_kept(tmp_path):
    extraction = Extraction((Entity(4, 7, "Drug"),))
    write_spert(tmp_path / "out.json", [AnnotatedText("a", "no, ORC", extraction, ("no", ",", "ORC"))])
    (text,) = read_spert(tmp_path / "out.json").texts
    assert (text.id, text.text) == ("a", "no , ORC")
    assert text.extraction.entities == (Entity(5, 8, "Drug"),)


@pytest.mark.parametrize(
    ("words", "end", "found"),
    [
        (None, 3, "found no words, expected the words"),
        (("ORC",), 3, "found words that do not give the text"),
        (("ORC1", "binds"), 3, "found the entity 'ORC' at 0 to 3, expected whole words"),
    ],
)
def test_what_words_cannot_hold_is_not_written(tmp_path, words, end, found):
    text = AnnotatedText("a", "ORC1 binds", Extraction((Entity(0, end, "Drug"),)), words)
    with pytest.raises(ConversionError, match=f"text 'a': {found}"):
        write_spert(tmp_path / "out.json", [text])


def test_published_counts_of_ade(corpora):
    conversion = read_spert(corpora / "ade" / "ade_full.json")
    report = conversion.report
    assert (report.texts, report.entities, report.relations, report.nested) == (4272, 10839, 6821, 120)
    assert (report.self_relations, report.duplicate_entities, report.duplicate_relations) == (0, 0, 0)
    assert report.problems == []
    labels = [entity.label for text in conversion.texts for entity in text.extraction.entities]
    assert (labels.count("Adverse-Effect"), labels.count("Drug")) == (5776, 5063)


@pytest.mark.parametrize(("part", "texts"), [("train", 3845), ("test", 427)])
def test_folds_of_ade_are_the_published_ones(corpora, part, texts):
    folder = corpora / "ade"
    fold = read_spert(folder / "ade_full.json", splits=folder / "splits.json", part=part).texts
    assert len(fold) == texts
    assert fold == read_spert(folder / f"ade_split_0_{part}.json").texts


def test_sentences_of_one_id_are_all_kept_and_reported(save):
    path = save([sentence(orig_id=1), sentence(orig_id=1, tokens=["another"], entities=[], relations=[])])
    splits = save({"folds": [{"train": [1]}]}, "splits.json")
    conversion = read_spert(path, splits=splits)
    assert [text.words[-1] for text in conversion.texts] == [".", "another"]
    assert conversion.report.problems == [("1", "an earlier text has the same id")]
