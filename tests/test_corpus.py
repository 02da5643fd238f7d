"""Gold records to DocBin and back, and the reader that keeps relations through every cut."""

from __future__ import annotations

import logging
import zlib
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest
import spacy
import srsly
from pipelines import demo_texts
from spacy.tokens import Doc, DocBin, Span, SpanGroup
from spacy.training import Example
from spacy.util import registry

from spacy_bispn.annotations import has_entities, has_relations, read, white_space, write
from spacy_bispn.corpus import to_doc, to_docbin, to_text
from spacy_bispn.corpus_reader import bare, create_reader, cut, find_files, part_bounds
from spacy_bispn.demo import corpus as demo
from spacy_bispn.evaluation.scorer import make_scorer
from spacy_bispn.records import AnnotatedText, Entity, Extraction, Relation, spaces_after, trimmed

NLP = spacy.blank("en")
PUNCTUATION = {"nlp": {"tokenizer": {"@tokenizers": "spacy-bispn.PunctuationTokenizer.v1"}}}


def gold(text: str, *relations: tuple[int, int], words: bool = False) -> AnnotatedText:
    """Every word that is written in capitals is an entity; relations join them by number."""
    entities = []
    for word in text.split():
        if word.isupper():
            start = text.index(word)
            entities.append(Entity(start, start + len(word), "GENE"))
    links = tuple(Relation(entities[head], entities[tail], "BINDS") for head, tail in relations)
    made = Extraction(tuple(entities), links)
    return AnnotatedText("doc-1", text, made, tuple(text.split()) if words else None)


def save(path: Path, *docs: Doc) -> Path:
    DocBin(docs=docs).to_disk(path)
    return path


def references(path: Path | str | None, max_length: int = 0, limit: int = 0) -> list[Doc]:
    return [example.reference for example in create_reader(path, max_length=max_length, limit=limit)(NLP)]  # type: ignore[arg-type]


def normal(extraction: Extraction) -> tuple[list[Entity], list[Relation[Entity]]]:
    return sorted(extraction.entities), sorted(extraction.relations)


# Records to Docs


def test_a_doc_has_the_gold_of_its_text() -> None:
    text = gold("A binds B .", (0, 1))
    doc, problems = to_doc(NLP, text)
    assert problems == [] and doc.text == text.text
    assert read(doc) == text.extraction
    assert [span.text for span in doc.ents] == ["A", "B"]


def test_prescribed_words_are_the_tokens() -> None:
    doc, problems = to_doc(NLP, gold("A don't .B .", words=True))
    assert [token.text for token in doc] == ["A", "don't", ".B", "."] and not problems


def test_words_need_no_space_between_them() -> None:
    text = AnnotatedText("x", "A-B  C ", Extraction(), ("A", "-", "B", " ", "C"))
    doc, problems = to_doc(NLP, text)
    assert (doc.text, [token.text for token in doc]) == (text.text, list(text.words or ())) and not problems


@pytest.mark.parametrize("text", ["", " ", "A  B.\n C ", "don't A-B"])
def test_a_doc_gives_its_text_back(text: str) -> None:
    doc = NLP(text)
    assert to_text(doc, "x") == AnnotatedText("x", text, Extraction(), tuple(token.text for token in doc))
    again, problems = to_doc(NLP, to_text(doc, "x"))
    assert again.text == text and not problems
    assert [token.text for token in again] == [token.text for token in doc]


@pytest.mark.parametrize(
    ("text", "words", "spaces"),
    [
        ("", [], []),
        ("A B", ["A", "B"], [True, False]),
        ("A-B ", ["A", "-", "B"], [False, False, True]),
        ("A  B", ["A", " ", "B"], [True, False, False]),
        ("A B", ["A", " ", "B"], [False, False, False]),
        ("A  B", ["A", "B"], None),
        ("AB", ["A"], None),
        ("A", ["A", "B"], None),
    ],
)
def test_words_spell_a_text_with_at_most_one_space_after_each(
    text: str, words: list[str], spaces: list[bool] | None
) -> None:
    assert spaces_after(text, words) == spaces


def test_a_text_without_gold_says_that_there_is_none() -> None:
    doc, _ = to_doc(NLP, gold("nothing here"))
    assert has_entities(doc) and has_relations(doc) and read(doc) == Extraction()


def test_what_tokens_cannot_hold_is_left_out_and_listed() -> None:
    whole, inside = Entity(0, 4, "GENE"), Entity(11, 14, "GENE")  # "ATP" of "ATPase"
    fits, lost = Relation(whole, whole, "BINDS"), Relation(whole, inside, "BINDS")
    extraction = Extraction((whole, inside), (lost, fits))
    doc, problems = to_doc(NLP, AnnotatedText("x", "IL-2 binds ATPase", extraction))
    assert read(doc) == Extraction((whole,), (fits,)), "gold is never widened"
    assert problems == [
        "entity 'ATP' (GENE) at 11 ends inside a token",
        "relation BINDS at 0 lost an argument",
    ]


def test_words_that_are_not_the_text_are_a_problem() -> None:
    text = AnnotatedText("x", "A binds B", Extraction((Entity(0, 1, "GENE"),)), ("A", "likes", "B"))
    doc, problems = to_doc(NLP, text)
    lost = "1 entities and 0 relations are left out"
    assert problems == [f"the tokens give another text, {lost}: 'A likes B '"]
    assert not has_entities(doc)
    docbin, lines = to_docbin(NLP, [text])
    assert len(docbin) == 0 and lines == [f"x: {problems[0]}"], "nothing is learnt from another text"


def test_problems_of_a_corpus_name_their_texts() -> None:
    bad = AnnotatedText("bad", "ATPase", Extraction((Entity(0, 3, "GENE"),)))
    docbin, problems = to_docbin(NLP, [gold("A binds B", (0, 1)), bad])
    assert len(docbin) == 2
    assert problems == ["bad: entity 'ATP' (GENE) at 0 ends inside a token"]


@pytest.mark.parametrize("config", [{}, PUNCTUATION], ids=["default tokens", "punctuation tokens"])
def test_the_demo_corpus_survives_a_docbin(config: dict[str, object], tmp_path: Path) -> None:
    nlp = spacy.blank("en", config=config)
    texts = demo.generate(sizes={"train": 40, "unseen": 10})
    texts_ = [*texts["train"], *texts["unseen"]]
    docbin, problems = to_docbin(nlp, texts_)
    docbin.to_disk(tmp_path / "demo.spacy")
    lost = {problem.split(":")[0] for problem in problems}
    assert not lost or not config, "the punctuation tokenizer holds every mention"
    kept = 0
    for text, example in zip(texts_, create_reader(tmp_path / "demo.spacy")(nlp), strict=True):
        assert example.reference.text == text.text
        if text.id not in lost:
            kept += 1
            assert normal(read(example.reference)) == normal(text.extraction)
    assert kept + len(lost) == len(texts_) and kept > 5


# The reader


def test_the_reader_gives_gold_and_a_bare_doc_of_the_same_tokens(tmp_path: Path) -> None:
    text = gold("A do n't bind B .", (0, 1), (1, 0), (0, 0), words=True)
    (example,) = create_reader(save(tmp_path / "a.spacy", to_doc(NLP, text)[0]))(NLP)
    assert normal(read(example.reference)) == normal(text.extraction)
    assert [token.text for token in example.predicted] == text.text.split()
    assert example.predicted.text == example.reference.text
    assert not has_entities(example.predicted) and not has_relations(example.predicted)


def test_the_reader_is_registered_and_its_path_may_be_a_string(tmp_path: Path) -> None:
    save(tmp_path / "a.spacy", to_doc(NLP, gold("A binds B", (0, 1)))[0])
    config = {"corpus": {"@readers": "spacy-bispn.Corpus.v1", "path": str(tmp_path / "a.spacy")}}
    (example,) = registry.resolve(config)["corpus"](NLP)
    assert len(example.reference._.relations) == 1


def test_a_folder_is_read_in_order_of_name_and_more_than_once(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    for name, word in {"c": "C", "a": "A", "b/b": "B"}.items():
        save(tmp_path / f"{name}.spacy", NLP.make_doc(word))
    (tmp_path / "notes.txt").write_text("not a corpus")
    reader = create_reader(tmp_path)
    for _ in range(2):
        assert [example.reference.text for example in reader(NLP)] == ["A", "B", "C"]


@pytest.mark.parametrize(("limit", "expected"), [(0, "abcd"), (3, "abc"), (9, "abcd")])
def test_limit(tmp_path: Path, limit: int, expected: str) -> None:
    save(tmp_path / "1.spacy", NLP.make_doc("a"), NLP.make_doc("b"))
    save(tmp_path / "2.spacy", NLP.make_doc("c"), NLP.make_doc("d"))
    assert "".join(doc.text for doc in references(tmp_path, limit=limit)) == expected


@pytest.mark.parametrize("kind", ["nothing", "missing", "empty folder"])
def test_a_corpus_that_is_not_there(tmp_path: Path, kind: str) -> None:
    path = {"nothing": None, "missing": tmp_path / "train.spacy", "empty folder": tmp_path}[kind]
    (tmp_path / "train.json").write_text("[]")
    with pytest.raises(ValueError) as error:
        references(path)
    for words in (str(path), "expected a .spacy file or a folder with some", "--paths.train", "convert"):
        assert words in str(error.value)
    with pytest.raises(ValueError, match="expected a"):
        find_files("")


# Cutting


def parts(doc: Doc, max_length: int) -> list[tuple[str, Extraction, int]]:
    return [(part.text.rstrip(), read(part), lost) for part, lost in cut(doc, max_length)]


@pytest.mark.parametrize("max_length", [0, 9, 100])
def test_a_doc_that_fits_is_not_touched(max_length: int) -> None:
    doc, _ = to_doc(NLP, gold("a A b B c C d D e", (0, 1)))
    assert list(cut(doc, max_length)) == [(doc, 0)]


def test_relations_stay_inside_their_part_and_lost_ones_are_counted() -> None:
    #                       0 1     2     3
    text = gold("a A b  B , c C d D", (0, 1), (1, 0), (2, 3), (0, 2), (3, 1))
    doc, _ = to_doc(NLP, text)
    a, b = Entity(2, 3, "GENE"), Entity(7, 8, "GENE")
    c, d = Entity(4, 5, "GENE"), Entity(8, 9, "GENE")
    assert parts(doc, 5) == [
        ("a A b  B", Extraction((a, b), (Relation(a, b, "BINDS"), Relation(b, a, "BINDS"))), 0),
        (", c C d D", Extraction((c, d), (Relation(c, d, "BINDS"),)), 2),
    ]


def test_an_entity_that_a_cut_divides_is_lost_with_its_relations() -> None:
    doc = NLP.make_doc("a b c d")
    whole, last = Entity(2, 5, "GENE"), Entity(6, 7, "GENE")
    write(doc, Extraction((whole, last), (Relation(whole, last, "BINDS"),)))
    assert parts(doc, 2) == [
        ("a b", Extraction(), 0),
        ("c d", Extraction((Entity(2, 3, "GENE"),)), 1),
    ]
    assert [[span.text for span in part.ents] for part, _ in cut(doc, 2)] == [[], ["d"]]


def test_nested_entities_and_scores_survive_a_cut() -> None:
    doc = NLP.make_doc("a b c d e f")
    inner, outer = Entity(8, 9, "GENE", 0.5), Entity(6, 9, "CELL", 0.25)
    write(doc, Extraction((inner, outer), (Relation(inner, outer, "BINDS", 0.125),)))
    found = read([part for part, _ in cut(doc, 3)][1])
    assert normal(found) == ([Entity(0, 3, "CELL"), Entity(2, 3, "GENE")], list(found.relations))
    assert sorted(x.score for x in (*found.entities, *found.relations)) == [0.125, 0.25, 0.5]


def test_entities_beside_the_group_stay_in_their_parts() -> None:
    doc = NLP.make_doc("a b c d")
    doc.ents = [Span(doc, 1, 3, label="OTHER"), Span(doc, 3, 4, label="OTHER")]
    write(doc, Extraction((Entity(0, 1, "GENE"),)))
    assert [[x.label_ for x in part.ents] for part, _ in cut(doc, 2)] == [["GENE"], ["OTHER"]]


def sentences(starts: Iterable[int], length: int = 10) -> Doc:
    return Doc(NLP.vocab, words=["x"] * length, sent_starts=[at in starts for at in range(length)])


@pytest.mark.parametrize(
    ("doc", "max_length", "expected"),
    [
        (Doc(NLP.vocab, words=["x"] * 10), 4, [(0, 4), (4, 8), (8, 10)]),
        (sentences([0, 3, 6]), 4, [(0, 3), (3, 6), (6, 10)]),
        (sentences([0, 3, 6]), 6, [(0, 6), (6, 10)]),  # as many sentences as fit
        (sentences([0, 3, 6]), 7, [(0, 6), (6, 10)]),
        (sentences([0, 7]), 4, [(0, 4), (4, 7), (7, 10)]),  # a sentence that is too long
        (sentences([0, 3]), 9, [(0, 3), (3, 10)]),
        (sentences([0]), 1, [(at, at + 1) for at in range(10)]),
        (Doc(NLP.vocab), 4, []),
    ],
)
def test_parts_end_with_sentences_where_there_are_any(
    doc: Doc, max_length: int, expected: list[tuple[int, int]]
) -> None:
    assert list(part_bounds(doc, max_length)) == expected


def test_parts_say_no_more_than_their_doc() -> None:
    silent = NLP.make_doc("A binds B")
    flat = NLP.make_doc("A binds B")
    flat.ents = [Span(flat, 0, 2, label="GENE"), Span(flat, 2, 3, label="GENE")]
    by_hand = NLP.make_doc("A binds B")
    by_hand.spans["bispn"] = [Span(by_hand, 2, 3, label="GENE")]
    expected: list[tuple[Doc, list[str]]] = [(silent, []), (flat, ["B"]), (by_hand, ["B"])]
    for doc, entities in expected:
        for part, lost in cut(doc, 1):
            assert has_entities(part) == has_entities(doc)
            assert not has_relations(part) and not lost
        assert [span.text for part, _ in cut(doc, 1) for span in part.ents] == entities


def test_lost_relations_are_reported_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    docs = [to_doc(NLP, gold(text, (0, 1)))[0] for text in ("A x x B", "A x x B", "A B x x")]
    reader = create_reader(save(tmp_path / "a.spacy", *docs), max_length=2)
    with caplog.at_level(logging.WARNING, logger="spacy"):
        for _ in range(3):  # training reads its corpora again and again
            assert sum(len(example.reference._.relations) for example in reader(NLP)) == 1
    (message,) = [record.getMessage() for record in caplog.records]
    assert "2 relations" in message and "max_length = 2" in message and "raise max_length" in message


def test_lost_relations_are_reported_with_a_limit_too(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = save(tmp_path / "a.spacy", *[to_doc(NLP, gold("A x x B", (0, 1)))[0]] * 2)
    with caplog.at_level(logging.WARNING, logger="spacy"):
        assert len(references(path, max_length=2, limit=3)) == 3
    assert [record.getMessage().split(" ")[0] for record in caplog.records] == ["1"]


def test_no_loss_no_report(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    references(save(tmp_path / "a.spacy", to_doc(NLP, gold("A B x x", (0, 1)))[0]), max_length=2)
    assert not caplog.records


def test_bare_docs_keep_spaces() -> None:
    doc = NLP.make_doc(" a  b\n(c) ")
    doc.ents = [Span(doc, 1, 2, label="GENE")]
    copy = bare(NLP, doc)
    assert copy.text == doc.text and not copy.ents and not has_entities(copy)


@pytest.mark.parametrize("setting", ["max_length", "limit"])
def test_a_negative_length_or_limit_is_refused(setting: str) -> None:
    with pytest.raises(
        ValueError, match=rf"{setting} is -1, expected a whole number \(at least 0\): the default is 0"
    ):
        create_reader(None, **{setting: -1})


@pytest.mark.parametrize(("start", "end"), [(1, 1), (2, 1), (-1, 1), (0, 9), (2**40, 2**70)])
def test_an_entity_that_is_no_stretch_of_the_text_is_reported(start: int, end: int) -> None:
    strange = Entity(start, end, "X")
    text = AnnotatedText("1", "a-b", Extraction((strange,), (Relation(strange, strange, "r"),)))
    doc, problems = to_doc(NLP, text)
    assert read(doc) == Extraction()
    assert problems == [
        f"entity (X) from {start} to {end} is no stretch of the text",
        f"relation r at {start} lost an argument",
    ]


def test_a_docbin_holds_no_columns_that_nothing_fills() -> None:
    docbin, _ = to_docbin(NLP, [gold("TEM2 binds DAL92", (0, 1))])
    (tokens,) = docbin.tokens
    assert tokens.shape == (3, 3), "for each token its word, and where entities begin and what they are"
    (doc,) = docbin.get_docs(NLP.vocab)
    assert [entity.text for entity in doc.ents] == ["TEM2", "DAL92"] and len(read(doc).relations) == 1


KEYS = zlib.compress(srsly.msgpack_dumps({"a": 1}))


@pytest.mark.parametrize("content", [b"Tem2 binds Dal92.", KEYS, None])
def test_a_file_that_is_no_docbin_is_named(tmp_path: Path, content: bytes | None) -> None:
    nlp = spacy.blank("en")
    file = tmp_path / "train.spacy"
    if content is None:
        docs = to_docbin(nlp, demo_texts(3))[0].to_bytes()
        content = docs[: len(docs) // 2]
    file.write_bytes(content)
    with pytest.raises(ValueError) as caught:
        list(create_reader(file)(nlp))
    for part in (f"{file}: found no DocBin", "expected a .spacy file", "spacy bispn convert"):
        assert part in str(caught.value)


# White space at the ends of gold


@pytest.mark.parametrize(
    ("text", "start", "end", "kept"),
    [
        ("A binds", 0, 1, "A"),
        ("A binds", 0, 2, "A"),
        ("A  binds", 0, 3, "A"),
        ("A binds", 1, 7, "binds"),
        (" \tA\u00a0b\r\n", 0, 7, "A\u00a0b"),
        ("A\u2028\u3000", 0, 3, "A"),
        ("a \n b", 1, 4, ""),
        (" ", 0, 1, ""),
    ],
)
def test_white_space_is_cut_off_at_both_ends(text: str, start: int, end: int, kept: str) -> None:
    first, last = trimmed(text, start, end)
    assert text[first:last] == kept and start <= first <= last <= end


@pytest.mark.parametrize("place", [(0, 9), (-1, 2), (2, 1), (1, 1), (2**40, 2**70)])
def test_what_is_no_stretch_of_the_text_is_not_trimmed(place: tuple[int, int]) -> None:
    assert trimmed(" a ", *place) == place


BLANKS = "Frankie James\nActor at  Acme Corp  in Rome"


@pytest.mark.parametrize("words", [None, BLANKS.split()], ids=["tokens that are blank", "no such tokens"])
def test_gold_is_trimmed_and_counted(words: list[str] | None) -> None:
    spelled = " ".join(words) if words else BLANKS
    james, acme = (spelled.index(name) for name in ("Frankie", "Acme"))
    person, company = Entity(james, james + 14, "PER"), Entity(acme - 1, acme + 10, "ORG")
    links = Relation(person, company, "WORKS_FOR"), Relation(company, person, "HAS")
    text = AnnotatedText("1", spelled, Extraction((person, company), links), tuple(words) if words else None)
    held: Counter[str] = Counter()
    docbin, problems = to_docbin(NLP, [text], held)
    (doc,) = docbin.get_docs(NLP.vocab)
    assert problems == [] and held == Counter(entities=2, relations=2, trimmed=2)
    assert [span.text for span in doc.spans["bispn"]] == ["Frankie James", "Acme Corp"]
    assert [span.text for span in doc.ents] == ["Frankie James", "Acme Corp"]
    assert [x.label for x in doc._.relations] == ["WORKS_FOR", "HAS"]
    assert white_space(doc) == (0, 0)


def test_an_entity_of_white_space_alone_is_a_problem() -> None:
    person, nothing = Entity(0, 14, "PER"), Entity(22, 24, "ORG")
    gold = Extraction((person, nothing), (Relation(person, nothing, "WORKS_FOR"),))
    doc, problems = to_doc(NLP, AnnotatedText("1", BLANKS, gold))
    assert problems == [
        "entity (ORG) from 22 to 24 is nothing but white space",
        "relation WORKS_FOR at 0 lost an argument",
    ]
    assert read(doc) == Extraction((Entity(0, 13, "PER"),))


@pytest.mark.parametrize("label", [None, "", 7])
def test_labels_that_are_no_texts_are_problems(label: object) -> None:
    whole, bad = Entity(0, 1, "GENE"), Entity(8, 9, label)  # type: ignore[arg-type]
    links = (Relation(whole, whole, label), Relation(whole, bad, "BINDS"))  # type: ignore[arg-type]
    doc, problems = to_doc(NLP, AnnotatedText("1", "A binds B", Extraction((whole, bad), links)))
    assert problems == [
        f"entity 'B' at 8 has the label {label!r}, expected a text",
        f"relation {label} at 0 has the label {label!r}, expected a text",
        "relation BINDS at 0 lost an argument",
    ]
    assert read(doc) == Extraction((whole,))


def ragged() -> Doc:
    """Gold made in Python whose blanks are tokens, and one entity that is nothing else."""
    doc = NLP.make_doc(BLANKS)
    spans = [Span(doc, 0, 3, label="PER"), Span(doc, 5, 9, label="ORG"), Span(doc, 2, 3, label="ORG")]
    doc.spans["bispn"] = spans
    doc._.relations = [Relation(*spans[:2], "WORKS_FOR")]
    doc.spans["bispn"] = spans
    return doc


@pytest.mark.parametrize("max_length", [0, 9])
def test_the_reader_reports_white_space_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, max_length: int
) -> None:
    reader = create_reader(save(tmp_path / "a.spacy", ragged(), ragged()), max_length=max_length)
    for _ in range(2):
        docs = [example.reference for example in reader(NLP)]
    names = [doc.text[x.start : x.end] for doc in docs for x in read(doc).entities]
    assert names == ["Frankie James", "Acme Corp"] * 2
    (message,) = [record.getMessage() for record in caplog.records]
    for words in ("4 gold entities have white space at an end", "2 are white space alone", "convert it anew"):
        assert words in message


def test_a_right_answer_to_ragged_gold_is_right() -> None:
    gold = ragged()
    answer = NLP.make_doc(BLANKS)
    person, company = Entity(0, 13, "PER"), Entity(25, 34, "ORG")
    write(answer, Extraction((person, company), (Relation(person, company, "WORKS_FOR"),)))
    scores = make_scorer()([Example(answer, gold)])
    assert scores["ents_f"] == scores["rel_micro_f"] == 1.0


def test_gold_of_earlier_files_is_cut_like_any_other() -> None:
    doc = NLP.make_doc("a A b B c")
    spans = [Span(doc, 1, 2, label="GENE"), Span(doc, 3, 4, label="GENE")]
    attrs = {"scores": [0.5, 0.25], "relations": [[1, 0, "BINDS", 0.75]]}
    doc.spans["bispn"] = SpanGroup(doc, name="bispn", attrs=attrs, spans=spans)
    (part, lost), (rest, missing) = cut(doc, 4)
    assert [(x.head.text, x.tail.text, x.score) for x in part._.relations] == [("B", "A", 0.75)]
    assert (lost, missing, read(rest)) == (0, 0, Extraction())
