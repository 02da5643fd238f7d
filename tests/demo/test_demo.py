"""The demo corpus: what a model can learn from it, and what its splits keep apart."""

import json
import re
from collections import Counter
from itertools import pairwise

import pytest

from spacy_bispn.demo.corpus import SIZES, SYMMETRIC, generate, write
from spacy_bispn.demo.grammar import HELD_OUT, PIECES, SHARED
from spacy_bispn.records import Relation
from spacy_bispn.settings import SettingError

CORPUS = generate()
TEXTS = [text for texts in CORPUS.values() for text in texts]
ENTITY_LABELS = {"PROTEIN", "COMPLEX", "CHEMICAL", "DISEASE", "CELL"}
RELATION_LABELS = {"BINDS", "ACTIVATES", "INHIBITS", "TREATS", "CAUSES", "EXPRESSED_IN"}
OTHER_SPLITS = [split for split in SIZES if split != "train"]


def surface(text, entity):
    return text.text[entity.start : entity.end]


def outermost(text):
    entities = text.extraction.entities
    return [
        e for e in entities if not any(o != e and o.start <= e.start and e.end <= o.end for o in entities)
    ]


def skeleton(text):
    """The text with each outermost entity replaced by its label."""
    result = text.text
    for entity in reversed(outermost(text)):
        result = result[: entity.start] + entity.label + result[entity.end :]
    return result


def names(split, *labels):
    return {
        surface(t, e)
        for t in CORPUS[split]
        for e in t.extraction.entities
        if e.label in (labels or ENTITY_LABELS)
    }


def name_pieces(split):
    """Chunks of three letters, which is how long a syllable is, and single digits.

    A chunk that begins a word is another wordpiece than one that continues it.
    """
    runs = {run for name in names(split) for run in re.findall(r"[A-Za-z]+|[0-9]+|[α-ω]", name)}
    return {
        (at == 0, chunk)
        for run in runs
        for at, chunk in enumerate(re.findall(r"[A-Z][a-z]{2}|[a-z]{1,3}|[A-Z]+|.", run))
    }


def plain_words(split):
    return {word for text in CORPUS[split] for word in re.findall(r"\w+", skeleton(text).lower())}


def neighbours(between, unless="(?!)"):
    """The pairs of consecutive names that have exactly these words between them."""
    return [
        (text, first, second)
        for text in TEXTS
        for first, second in pairwise(outermost(text))
        if text.text[first.end : second.start] == f" {between} " and not re.search(unless, text.text, re.I)
    ]


def find(pattern):
    return next(text for text in TEXTS if re.search(pattern, text.text))


# Reproducibility


def test_the_same_seed_gives_the_same_corpus_and_another_seed_another():
    assert generate(seed=0) == CORPUS
    assert generate(seed=1)["train"] != CORPUS["train"]


def test_a_split_depends_neither_on_the_other_splits_nor_on_how_much_of_it_is_asked_for():
    assert generate(sizes={"test": 20}) == {"test": CORPUS["test"][:20]}


def test_splits_have_the_sizes_asked_for():
    assert {split: len(texts) for split, texts in CORPUS.items()} == dict(SIZES)
    assert SIZES == {"train": 2000, "dev": 150, "test": 200, "unseen": 200}


def test_an_unknown_split_is_an_error():
    with pytest.raises(SettingError, match=r"'holdout', expected one of train, dev, .*: correct its name"):
        generate(sizes={"holdout": 1})


def test_ids_are_unique():
    assert len({text.id for text in TEXTS}) == len(TEXTS)


# Annotation


def test_offsets_point_at_the_surface_names():
    gene, code = r"[A-Z][a-z]+\d+", r"[A-Z]{2}-\d+"
    shapes = {
        "PROTEIN": rf"{gene}|{code}|[A-Z][a-z]+-[αβγ]|[A-Za-z][a-z]+(ase|in)",
        "COMPLEX": rf"{gene}[-/]{gene} (complex|heterodimer)",
        "CHEMICAL": rf"[A-Za-z][a-z]+(ine|ol|mab|tinib|in)|{code}|anti-{gene} antibody",
        "DISEASE": rf"({gene}-associated )?[A-Za-z][a-z]+(itis|oma|osis| syndrome| disease)",
        "CELL": rf"({gene}-deficient )?[A-Za-z][a-z]+(cytes|blasts)|{code} cells|{gene}-positive T cells",
    }
    for text in TEXTS:
        for entity in text.extraction.entities:
            assert re.fullmatch(shapes[entity.label], surface(text, entity)), text.text


def test_no_markup_is_left_in_the_text():
    assert not [text.text for text in TEXTS if re.search(r"[\[\]{}<>|:_+]|  ", text.text)]


def test_sentences_begin_with_a_capital_and_end_with_a_full_stop():
    assert all(re.fullmatch(r"[A-Z].*\w\.", text.text) for text in TEXTS)


def test_entities_begin_and_end_where_a_punctuation_tokenizer_splits():
    for text in TEXTS:
        tokens = [match.span() for match in re.finditer(r"\w+|[^\w\s]", text.text)]
        starts, ends = {start for start, _ in tokens}, {end for _, end in tokens}
        assert all(e.start in starts and e.end in ends for e in text.extraction.entities), text.text


def test_relation_arguments_are_entities_of_the_text():
    for text in TEXTS:
        arguments = {a for r in text.extraction.relations for a in (r.head, r.tail)}
        assert arguments <= set(text.extraction.entities)


def test_entities_and_relations_are_sorted_and_stated_once():
    for text in TEXTS:
        for records in (text.extraction.entities, text.extraction.relations):
            assert list(records) == sorted(set(records))


@pytest.mark.parametrize("split", SIZES)
def test_every_label_occurs_in_every_split(split):
    extractions = [text.extraction for text in CORPUS[split]]
    assert {e.label for x in extractions for e in x.entities} == ENTITY_LABELS
    assert {r.label for x in extractions for r in x.relations} == RELATION_LABELS


@pytest.mark.parametrize("split", SIZES)
@pytest.mark.parametrize("label", sorted(RELATION_LABELS))
def test_directed_relations_run_both_ways_through_the_text_and_symmetric_ones_only_forwards(split, label):
    relations = [r for text in CORPUS[split] for r in text.extraction.relations if r.label == label]
    forwards = {r.head.start < r.tail.start for r in relations}
    assert forwards == ({True} if label in SYMMETRIC else {True, False})


@pytest.mark.parametrize(
    ("between", "label", "forwards"),
    [
        ("binds", "BINDS", True),
        ("is bound by", "BINDS", True),
        ("activates", "ACTIVATES", True),
        ("is activated by", "ACTIVATES", False),
        ("inhibits", "INHIBITS", True),
        ("is inhibited by", "INHIBITS", False),
        ("is effective against", "TREATS", True),
        ("responded well to", "TREATS", False),
        ("causes", "CAUSES", True),
        ("is caused by mutations in", "CAUSES", False),
        ("is highly expressed in", "EXPRESSED_IN", True),
        ("express high levels of", "EXPRESSED_IN", False),
    ],
)
def test_the_words_between_two_names_give_their_relation_and_its_direction(between, label, forwards):
    pairs = neighbours(between, unless=r"no evidence|unknown")
    assert pairs
    for text, first, second in pairs:
        head, tail = (first, second) if forwards else (second, first)
        assert Relation(head, tail, label) in text.extraction.relations, text.text


@pytest.mark.parametrize(
    "between",
    [
        "does not bind",
        "failed to inhibit",
        "was measured alongside",
        "had no effect on",
        "was not effective against",
    ],
)
def test_denied_and_merely_adjacent_pairs_are_unrelated(between):
    pairs = neighbours(between)
    assert pairs
    for text, *pair in pairs:
        assert not [r for r in text.extraction.relations if {r.head, r.tail} & set(pair)], text.text


@pytest.mark.parametrize("doubt", ["there is no evidence that", "it is unknown whether"])
def test_doubted_sentences_state_no_relation(doubt):
    doubted = [t for t in TEXTS if doubt in t.text.lower() and not re.search(r", (and|wh)|;", t.text)]
    assert doubted
    assert not any(text.extraction.relations for text in doubted)


def test_coordinated_arguments_each_take_part_in_the_relation():
    text = find(r"^(?!Interestingly)\w+, \w+ and \w+ (activate|bind|cause|inhibit) ")
    *heads, tail = outermost(text)[:4]
    assert {relation.head for relation in text.extraction.relations if relation.tail == tail} == set(heads)


# What makes it more than pattern matching


@pytest.mark.parametrize("outer", ["COMPLEX", "CHEMICAL", "DISEASE", "CELL"])
@pytest.mark.parametrize("split", SIZES)
def test_proteins_nest_in_every_other_kind_of_entity(split, outer):
    assert any(
        inner.label == "PROTEIN"
        and entity.label == outer
        and entity.start <= inner.start < inner.end <= entity.end
        for text in CORPUS[split]
        for entity in text.extraction.entities
        for inner in text.extraction.entities
    )


@pytest.mark.parametrize("split", SIZES)
def test_nested_names_are_no_arguments(split):
    for text in CORPUS[split]:
        arguments = {a for r in text.extraction.relations for a in (r.head, r.tail)}
        assert arguments <= set(outermost(text))


@pytest.mark.parametrize("split", SIZES)
def test_some_sentences_state_no_relation_and_some_several(split):
    counts = Counter(min(len(text.extraction.relations), 2) for text in CORPUS[split])
    assert counts[0] >= 0.1 * SIZES[split]
    assert counts[2] >= 0.3 * SIZES[split]


@pytest.mark.parametrize("split", SIZES)
def test_some_entities_stand_beside_a_relation_without_taking_part(split):
    bystanders = [
        set(outermost(text)) - {a for r in text.extraction.relations for a in (r.head, r.tail)}
        for text in CORPUS[split]
        if text.extraction.relations
    ]
    assert sum(map(bool, bystanders)) >= 0.1 * len(bystanders)


def test_codes_are_proteins_chemicals_or_cells_by_context():
    cues = {"PROTEIN": r"kinase $", "CHEMICAL": r"compound $"}
    seen = Counter()
    for text in TEXTS:
        for entity in text.extraction.entities:
            if re.fullmatch(r"[A-Z]{2}-\d+", surface(text, entity)):
                assert re.search(cues[entity.label], text.text[: entity.start])
                seen[entity.label] += 1
    assert seen.keys() == cues.keys()
    assert any(re.fullmatch(r"[A-Z]{2}-\d+ cells", name) for name in names("train", "CELL"))


# What the splits share and what they keep apart


def test_no_name_occurs_in_two_splits():
    owners = Counter(name for split in SIZES for name in {name.lower() for name in names(split)})
    assert max(owners.values()) == 1


def test_names_stay_apart_across_seeds():
    other = generate(seed=7, sizes={"train": 300})["train"]
    retrained = {surface(text, e).lower() for text in other for e in text.extraction.entities}
    assert not retrained & {name.lower() for name in names("test")}


@pytest.mark.parametrize("split", OTHER_SPLITS)
def test_every_piece_of_a_name_occurs_in_the_names_of_train(split):
    assert name_pieces(split) <= name_pieces("train")


@pytest.mark.parametrize("split", OTHER_SPLITS)
def test_every_other_word_occurs_in_train(split):
    assert plain_words(split) <= plain_words("train")


def test_a_quarter_of_at_least_fifty_frames_is_held_out():
    shared = {frame for frames in SHARED.values() for frame in frames}
    held_out = {frame for frames in HELD_OUT.values() for frame in frames}
    assert not shared & held_out
    assert len(shared | held_out) >= 50
    assert 0.2 <= len(held_out) / len(shared | held_out) <= 0.3


def test_the_frames_of_unseen_occur_in_no_other_split():
    skeletons = {split: {skeleton(text) for text in CORPUS[split]} for split in SIZES}
    assert skeletons["test"] & skeletons["train"]
    assert not skeletons["unseen"] & (skeletons["train"] | skeletons["dev"] | skeletons["test"])


@pytest.mark.parametrize(
    "phrase", ["was found to cause", "led to inhibition", "that activates", "binds and inhibits"]
)
def test_held_out_constructions_are_particular_to_unseen(phrase):
    assert {text.id.split("-")[0] for text in TEXTS if phrase in text.text} == {"unseen"}


# Statistics


def test_sentences_keep_within_the_limits():
    for text in TEXTS:
        assert 8 <= len(text.text.split()) <= 35
        assert 1 <= len(text.extraction.entities) <= 8
        assert 0 <= len(text.extraction.relations) <= 6


@pytest.mark.parametrize("label", sorted(RELATION_LABELS))
def test_no_label_is_rare_in_train(label):
    assert sum(r.label == label for text in CORPUS["train"] for r in text.extraction.relations) >= 150


def test_a_name_occurs_once_in_a_sentence_even_where_names_are_few(monkeypatch):
    for kind in ("syl", "Syl"):
        monkeypatch.setitem(PIECES, kind, PIECES[kind][:10])
    for text in generate(sizes={"train": 1500})["train"]:
        surfaces = [surface(text, entity).lower() for entity in text.extraction.entities]
        assert len(set(surfaces)) == len(surfaces)


def test_sentences_seldom_repeat():
    assert len({text.text for text in TEXTS}) == len(TEXTS)
    assert len({skeleton(text) for text in CORPUS["train"]}) >= 0.8 * SIZES["train"]


# Files


def test_files_keep_letters_beyond_ascii_readable(tmp_path):
    write(tmp_path, sizes={"dev": 50})
    assert "-α" in (tmp_path / "dev.jsonl").read_text(encoding="utf-8")


def test_written_lines_point_into_their_own_entities(tmp_path):
    write(tmp_path / "demo", sizes={"train": 30, "unseen": 5})
    assert sorted(path.name for path in (tmp_path / "demo").iterdir()) == ["train.jsonl", "unseen.jsonl"]
    lines = (tmp_path / "demo" / "train.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 30
    for line, text in zip(map(json.loads, lines), CORPUS["train"], strict=False):
        assert line.keys() == {"id", "text", "entities", "relations"}
        assert (line["id"], line["text"]) == (text.id, text.text)
        assert line["entities"] == [[e.start, e.end, e.label] for e in text.extraction.entities]
        relations = text.extraction.relations
        assert [
            (line["entities"][head][:2], line["entities"][tail][:2], label)
            for head, tail, label in line["relations"]
        ] == [([r.head.start, r.head.end], [r.tail.start, r.tail.end], r.label) for r in relations]
