"""Docs that know what stands around them in their document."""

from __future__ import annotations

from pathlib import Path

import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from pipelines import make_nlp, make_text, tiny
from spacy.language import Language
from spacy.tokens import Doc, DocBin

from spacy_bispn.cli.sources import predict_texts
from spacy_bispn.context import context_size, get_context, passages, set_context, set_context_by_id
from spacy_bispn.corpus import to_doc
from spacy_bispn.corpus_reader import bare, create_reader
from spacy_bispn.doc_utils import CONTEXT, as_doc
from spacy_bispn.records import AnnotatedText, Extraction
from spacy_bispn.training.comparison import compare_pipelines

FIVE = make_nlp(tiny({"context": 5}))
SENTENCES = ["ORC binds ATP .", "It is a complex .", "Cdc6 binds it , too ."]


@pytest.fixture(scope="module")
def nlp() -> Language:
    return make_nlp(tiny({"context": 3}))


def docs_of(nlp: Language, ids: list[str | None] | None = None) -> list[Doc]:
    docs = [nlp.make_doc(sentence) for sentence in SENTENCES]
    for doc, name in zip(docs, ids or [], strict=False):
        if name is not None:
            doc.user_data["id"] = name
    return docs


def test_as_many_tokens_as_may_be_read_are_kept(nlp: Language) -> None:
    docs = docs_of(nlp)
    set_context(nlp, docs)
    assert [get_context(doc) for doc in docs] == [
        ("", "It is a"),
        ("binds ATP .", "Cdc6 binds it"),
        ("a complex .", ""),
    ]


def test_several_short_neighbours_are_joined(nlp: Language) -> None:
    docs = [nlp.make_doc(text) for text in ["a b", "c", "d", "e", "f g h i"]]
    set_context(nlp, docs)
    assert get_context(docs[2]) == ("a b c", "e f g")
    assert get_context(docs[3]) == ("b c d", "f g h")


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(1, 6), min_size=1, max_size=8))
def test_neighbours_are_stretches_of_the_document(sizes: list[int]) -> None:
    words = [f"w{number}" for number in range(sum(sizes))]
    at, docs = 0, []
    for size in sizes:
        docs.append(Doc(FIVE.vocab, words=words[at : at + size]))
        at += size
    set_context(FIVE, docs)
    at = 0
    for doc in docs:
        before, behind = get_context(doc)
        assert before.split() == words[max(at - 5, 0) : at]
        at += len(doc)
        assert behind.split() == words[at : at + 5]


def test_without_a_component_that_reads_a_context_nothing_changes() -> None:
    for nlp in (make_nlp(tiny()), spacy.blank("en")):
        assert context_size(nlp) == 0
        docs = docs_of(nlp)
        set_context(nlp, docs)
        assert not any(CONTEXT in doc.user_data for doc in docs)


def test_the_largest_context_of_a_pipeline_counts() -> None:
    nlp = make_nlp(tiny({"context": 3}))
    nlp.add_pipe("bispn", name="second", config=tiny({"context": 7}))
    nlp.add_pipe("sentencizer")
    assert context_size(nlp) == 7


def test_what_a_doc_knows_already_is_kept_where_it_has_no_neighbour(nlp: Language) -> None:
    (doc, *_), told = docs_of(nlp), ("words before", "words behind")
    doc.user_data[CONTEXT] = told
    set_context(nlp, [doc])
    assert get_context(doc) == told


@pytest.mark.parametrize(
    ("ids", "runs"),
    [
        (["a:0", "a:1", "a:2"], [3]),
        (["a:0", "a:1", "b:0"], [2, 1]),
        (["a:0", "a:2", "a:3"], [1, 2]),  # a sentence was left out of the corpus
        (["a:1", "a:0", "a:2"], [1, 1, 1]),
        (["a", "a", "a"], [1, 1, 1]),
        (["0", "1", "2"], [1, 1, 1]),
        ([None, None, None], [1, 1, 1]),
        (["a:9", "a:10", "a:11"], [3]),
        (["a:b:0", "a:b:1", "a:c:2"], [2, 1]),
        (["a:²", "a:3", "a:"], [1, 1, 1]),
        ([":0", ":1", None], [2, 1]),
    ],
)
def test_ids_say_which_docs_follow_each_other(nlp: Language, ids: list[str | None], runs: list[int]) -> None:
    docs = docs_of(nlp, ids)
    assert [len(run) for run in passages(docs)] == runs
    set_context_by_id(nlp, docs)
    assert [bool(get_context(doc)[0]) for doc in docs] == [at > 0 for run in runs for at in range(run)]


def write(folder: Path, nlp: Language, ids: list[str | None]) -> Path:
    texts = [make_text(sentence, [(sentence.split()[0], "X")], []) for sentence in SENTENCES]
    docs = [to_doc(nlp, text)[0] for text in texts]
    for doc, name in zip(docs, ids, strict=True):
        doc.user_data["id"] = name
    DocBin(docs=docs, store_user_data=True).to_disk(folder / "train.spacy")
    return folder / "train.spacy"


def test_the_reader_gives_sentences_their_neighbours(nlp: Language, tmp_path: Path) -> None:
    path = write(tmp_path, nlp, ["a:0", "a:1", "b:0"])
    examples = list(create_reader(path)(nlp))
    expected = [("", "It is a"), ("binds ATP .", ""), ("", "")]
    for side in ("predicted", "reference"):
        assert [get_context(getattr(x, side)) for x in examples] == expected
    assert all(CONTEXT not in x.predicted.user_data for x in create_reader(path)(make_nlp(tiny())))
    # what is not read is seen
    (first,) = create_reader(path, limit=1)(nlp)
    assert get_context(first.predicted) == expected[0]


def test_parts_of_a_cut_doc_are_neighbours(nlp: Language, tmp_path: Path) -> None:
    path = write(tmp_path, nlp, ["a:0", "a:1", "b:0"])
    examples = list(create_reader(path, max_length=3)(nlp))
    assert [x.predicted.text.strip() for x in examples][:3] == ["ORC binds ATP", ".", "It is a"]
    assert get_context(examples[1].predicted) == ("ORC binds ATP", "It is a")


def test_a_bare_doc_knows_its_neighbours_and_nothing_else(nlp: Language) -> None:
    doc = docs_of(nlp, ["a:0"])[0]
    assert bare(nlp, doc).user_data == {}
    doc.user_data[CONTEXT] = ("x", "y")
    assert bare(nlp, doc).user_data == {CONTEXT: ("x", "y")}


def test_a_part_of_a_doc_has_other_neighbours(nlp: Language) -> None:
    (doc, *_) = docs_of(nlp, ["a:0"])
    doc.user_data[CONTEXT] = ("x", "y")
    assert as_doc(doc[1:3], copy_user_data=True).user_data == {"id": "a:0"}


def test_commands_that_predict_gold_texts_give_them_their_neighbours(
    nlp: Language, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, str]] = []

    def note(docs: object, **_: object) -> object:
        for doc in docs:  # type: ignore[attr-defined]
            seen.append(get_context(doc))
            yield doc

    monkeypatch.setattr(nlp, "pipe", note)
    texts = [AnnotatedText(f"a:{n}", text, Extraction()) for n, text in enumerate(SENTENCES)]
    expected = [("", "It is a"), ("binds ATP .", "Cdc6 binds it"), ("a complex .", "")]
    predict_texts(nlp, texts)
    assert seen == expected
    seen.clear()
    compare_pipelines(nlp, nlp, docs_of(nlp, ["a:0", "a:1", "a:2"]))
    assert seen == [*expected, *expected]
