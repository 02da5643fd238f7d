"""A corpus held against settings: hand-made texts, with the numbers that must come out."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import replace

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from spacy_bispn.diagnosis.corpus_checks import Finding, Sample
from spacy_bispn.diagnosis.diagnose import Diagnosis, diagnose
from spacy_bispn.diagnosis.near_duplicates import near_duplicates
from spacy_bispn.diagnosis.splits import Constraints, CorpusSettings
from spacy_bispn.diagnosis.spread import Spread
from spacy_bispn.model.schema import Schema
from spacy_bispn.model.shim import NO_SPECIAL
from spacy_bispn.model.windowing import SpecialPieces, WindowTokenizer
from spacy_bispn.records import Entity, Extraction, Labels, Relation

ENOUGH = CorpusSettings(entity_queries=64, relation_queries=64, window=64, overlap=16, longest_span=32)

WORDS = Constraints(lambda window, overlap: WindowTokenizer(None, NO_SPECIAL, window, overlap), longest=512)


def sample(
    text: str,
    entities: Sequence[tuple[str, str]] = (),
    relations: Sequence[tuple[int, int, str]] = (),
    tokens: str = r"\S+",
    unannotated: bool = False,
) -> Sample:
    """Gold by first occurrence; words end at spaces, the pipeline's tokens are given by a pattern."""
    found = [Entity(text.index(words), text.index(words) + len(words), label) for words, label in entities]
    linked = tuple(Relation(found[head], found[tail], label) for head, tail, label in relations)
    words, own = (tuple(match.span() for match in re.finditer(x, text)) for x in (r"\S+", tokens))
    return Sample(text, words, own, Extraction(tuple(found), linked), unannotated)


def numbered(count: int) -> str:
    return " ".join(f"w{number:03}" for number in range(count))


PAIR = sample("Tem2 binds Dal92 here", [("Tem2", "P"), ("Dal92", "P")], [(0, 1, "BINDS")])


def look(
    train: Sequence[Sample],
    dev: Sequence[Sample] = (),
    constraints: Constraints = WORDS,
    **settings: int | None,
) -> Diagnosis:
    return diagnose(train, dev, replace(ENOUGH, **settings), constraints)


def find(diagnosis: Diagnosis, code: str, split: str = "train") -> Finding | None:
    found = [x for x in diagnosis.findings if (x.code, x.split) == (code, split)]
    assert len(found) <= 1
    return found[0] if found else None


def counts(diagnosis: Diagnosis, code: str, split: str = "train") -> tuple[int, int] | None:
    found = find(diagnosis, code, split)
    return None if found is None else (found.count, found.total)


# numbers


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (range(1, 101), (50.5, 95, 99, 100)),
        ([0] * 97 + [5, 6, 7], (0.18, 0, 6, 7)),
        ([3], (3.0, 3, 3, 3)),
        ([], (0.0, 0, 0, 0)),
    ],
)
def test_spread(values: Sequence[int], expected: tuple[float, int, int, int]) -> None:
    spread = Spread.of(values)
    assert (spread.mean, spread.p95, spread.p99, spread.most) == expected


def test_measures() -> None:
    three = sample("Tem2 binds Dal92 and Kel7 x", [("Tem2", "P"), ("Dal92 and Kel7", "C")])
    measures = look([PAIR, three], constraints=replace(WORDS, symmetric=("BINDS",))).measures["train"]
    assert (measures.texts, measures.windows) == (2, 2)
    assert (measures.entities.mean, measures.entities.most) == (2.0, 2)
    assert (measures.relations.mean, measures.both_ways.mean) == (0.5, 1.0)
    assert (measures.pieces.mean, measures.pieces.most) == (5.0, 6)
    assert (measures.entity_pieces.mean, measures.entity_pieces.most) == (1.5, 3)


def test_recommended_settings_follow_the_corpus() -> None:
    text = numbered(100)
    words = text.split()
    entities = [(word, "P") for word in words[:26]] + [(" ".join(words[30:50]), "L")]
    relations = [(0, number, "R") for number in range(1, 18)]
    train = [sample(text, entities, relations)]
    # 27 entities and a quarter are 33.75, 17 relations, 100 words, 20 words and a quarter are 25
    assert look(train).recommended == CorpusSettings(40, 24, 128, 32, 32)
    both = look(train, constraints=replace(WORDS, symmetric=("R",))).recommended
    assert both.relation_queries == 40, "34 with inverses"
    assert look([PAIR]).recommended == CorpusSettings(16, 16, 64, 16, 16), "no less than this"


def test_the_development_texts_count_for_the_recommendation() -> None:
    assert look([PAIR], [sample(numbered(150))]).recommended.window == 192


def test_the_encoder_bounds_the_window_and_half_an_overlap_may_keep_relations() -> None:
    short = replace(WORDS, longest=64)
    far = sample(numbered(100), [("w040", "P"), ("w070", "P")], [(0, 1, "R")])
    diagnosis = look([far], constraints=short)
    assert (diagnosis.recommended.window, diagnosis.recommended.overlap) == (64, 31)
    found = find(diagnosis, "lost_relations")
    assert found and (found.count, found.total, found.repairable) == (1, 1, True)
    assert counts(diagnosis, "cut_texts") == (1, 1)
    again = diagnose([far], [], diagnosis.recommended, short)
    assert counts(again, "lost_relations") is None and again.recommended == diagnosis.recommended

    near = sample(numbered(100), [("w040", "P"), ("w045", "P")], [(0, 1, "R")])
    assert look([near], constraints=short).recommended.overlap == 16
    beyond = sample(numbered(200), [("w000", "P"), ("w190", "P")], [(0, 1, "R")])
    found = find(look([beyond], constraints=short), "lost_relations")
    assert found and not found.repairable, "no window is that long"


# findings that settings repair


def test_too_few_queries_stop_the_training_or_cost_recall() -> None:
    diagnosis = look([PAIR, sample("x")], [PAIR], entity_queries=1)
    found = find(diagnosis, "entity_queries")
    assert found and (found.level, found.count, found.total) == ("error", 1, 2)
    assert "entity_queries = 1, up to 2: training stops" in found.message and found.repairable
    found = find(diagnosis, "entity_queries", "dev")
    assert found and (found.level, found.count, found.total) == ("warning", 1, 1)
    assert diagnosis.findings[0].level == "error", "the worst comes first"
    skipping = find(look([PAIR], constraints=replace(WORDS, skips=True), entity_queries=1), "entity_queries")
    assert skipping and skipping.level == "warning" and "the rest cannot" in skipping.message
    assert counts(look([PAIR]), "entity_queries") is None


def test_symmetric_relations_without_room_for_inverses() -> None:
    three = [("Tem2", "P"), ("Dal92", "P"), ("Kel7", "P")]
    text = sample("Tem2 Dal92 Kel7 x", three, [(0, 1, "R"), (1, 2, "R")])
    constraints = replace(WORDS, symmetric=("R",))
    assert counts(look([text], constraints=constraints, relation_queries=3), "one_way") == (1, 1)
    assert counts(look([text], constraints=constraints, relation_queries=4), "one_way") is None
    assert counts(look([text], relation_queries=2), "one_way") is None, "nothing is symmetric"


def test_longest_span_and_window() -> None:
    text = sample(numbered(20), [("w000 w001 w002", "P"), ("w005", "P")], [(0, 1, "R")])
    diagnosis = look([text], longest_span=2, window=600)
    assert counts(diagnosis, "longest_span") == (1, 2)
    assert "600" in find(diagnosis, "window").message  # type: ignore[union-attr]
    for limit in (3, None):
        assert counts(look([text], longest_span=limit), "longest_span") is None


def test_recommended_settings_leave_nothing_that_they_could_repair() -> None:
    text = numbered(120)
    entities = [(word, "P") for word in text.split()[::4]] + [(text[:99], "L")]
    train = [sample(text, entities, [(0, number, "R") for number in range(1, 30)])]
    bad = {"entity_queries": 2, "relation_queries": 2, "window": 16, "overlap": 2, "longest_span": 2}
    diagnosis = look(train, train, **bad)
    assert {"entity_queries", "lost_relations", "lost_entities", "cut_texts", "longest_span"} <= {
        found.code for found in diagnosis.findings if found.repairable
    }
    again = diagnose(train, train, diagnosis.recommended, WORDS)
    assert again.recommended == diagnosis.recommended
    assert not [found for found in again.findings if found.repairable or found.level == "error"]


def test_mentions_that_share_their_relations() -> None:
    def twice(*relations: tuple[int, int, str]) -> Sample:
        text = "Tem2 binds Dal92 and Tem2 stays"
        found = [Entity(0, 4, "P"), Entity(11, 16, "P"), Entity(21, 25, "P")]
        linked = tuple(Relation(found[head], found[tail], label) for head, tail, label in relations)
        return replace(sample(text), extraction=Extraction(tuple(found), linked))

    both, one = twice((0, 1, "R"), (2, 1, "R")), twice((0, 1, "R"))
    alike = look([both] * 10)
    found = find(alike, "share_relations")
    assert found and (found.level, found.count, found.total, found.repairable) == ("note", 20, 20, True)
    assert found.message.endswith("set share_relations and pool_mentions to true.")
    assert alike.recommended.share_relations and alike.recommended.pool_mentions
    found = find(look([both] * 10, share_relations=True), "share_relations")
    assert found and found.message.endswith("set pool_mentions to true."), "the other is on already"
    found = find(look([both] * 10, constraints=replace(WORDS, proposed=False)), "share_relations")
    assert found and found.message.endswith("set share_relations to true."), "queries are not of spans"
    for train in ([both] * 9, [one] * 20, [both] * 10 + [one] * 2, [PAIR] * 20):
        diagnosis = look(train)
        assert not diagnosis.recommended.share_relations, "too few, or too often otherwise"
        assert not diagnosis.recommended.pool_mentions
        assert find(diagnosis, "share_relations") is None
    assert look([both] * 19 + [one]).recommended.share_relations, "39 of 40"

    sharing = replace(ENOUGH, share_relations=True, pool_mentions=True)
    assert find(diagnose([both] * 10, [], sharing, WORDS), "share_relations") is None
    found = find(diagnose([both] * 19 + [one], [], sharing, WORDS), "share_relations")
    assert found and (found.level, found.count, found.total) == ("note", 1, 40)
    for times in (9, 10):
        diagnosis = diagnose([one] * times, [], sharing, WORDS)
        found = find(diagnosis, "share_relations")
        assert found and (found.level, found.count, found.total) == ("warning", times, 2 * times)
        assert found.repairable == (not diagnosis.recommended.share_relations) == (times == 10)


# findings that no setting repairs


def test_more_labels_on_a_span_or_pair_than_a_proposal_holds() -> None:
    same = [("Tem2", label) for label in "ABC"] + [("Dal92", "A")]
    spans = sample("Tem2 binds Dal92", same, [(0, 3, "R")])
    assert counts(look([spans]), "crowded_spans") == (1, 2)
    assert counts(look([spans], constraints=replace(WORDS, proposed=False)), "crowded_spans") is None
    three = [(0, 1, "R"), (0, 1, "S"), (0, 1, "T")]
    pairs = sample("Tem2 binds Dal92", [("Tem2", "A"), ("Dal92", "A")], three)
    assert counts(look([pairs]), "crowded_pairs") == (1, 1)
    both = sample("Tem2 binds Dal92", [("Tem2", "A"), ("Dal92", "A")], [*three[:2], (1, 0, "T")])
    assert counts(look([both]), "crowded_pairs") is None
    assert counts(look([both], constraints=replace(WORDS, symmetric=("T",))), "crowded_pairs") == (1, 2)


def test_gold_inside_a_wordpiece_and_inside_a_token() -> None:
    tokenizer = Tokenizer(models.WordPiece({"[UNK]": 0, "Ca2": 1, "ATP": 2}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    special = SpecialPieces((0,), (0,), 0)
    pieces = Constraints(
        lambda window, overlap: WindowTokenizer(tokenizer, special, window, overlap), longest=512
    )
    text = sample("Ca2 ATP", [("Ca", "P"), ("ATP", "P")], [(0, 1, "R")])
    diagnosis = look([text], constraints=pieces)
    assert counts(diagnosis, "inside_piece") == (1, 2)
    assert find(diagnosis, "inside_piece").examples == ("Ca (P) in Ca2 ATP",)  # type: ignore[union-attr]
    assert diagnosis.measures["train"].pieces.most == 4, "two pieces and the two around them"
    assert counts(look([text]), "inside_token") == (1, 2)
    split = sample("Ca2 ATP", [("Ca", "P"), ("ATP", "P")], [(0, 1, "R")], tokens=r"[a-zA-Z]+|\d")
    diagnosis = look([split])
    assert counts(diagnosis, "inside_token") is None
    assert counts(diagnosis, "other_tokens") == (1, 1)


def test_labels() -> None:
    other = sample("Kel7 blocks Tem2", [("Kel7", "Q"), ("Tem2", "P")], [(0, 1, "BLOCKS")])
    diagnosis = look([PAIR] * 10, [other])
    assert counts(diagnosis, "few_entities") is None, "twenty are enough"
    assert counts(diagnosis, "few_relations") == (1, 1)
    assert find(diagnosis, "few_relations").examples == ("BINDS: 10",)  # type: ignore[union-attr]
    assert counts(diagnosis, "new_entities", "dev") == (1, 2)
    assert counts(diagnosis, "new_relations", "dev") == (1, 1)
    assert counts(diagnosis, "unmeasured_relations") == (1, 1)
    assert counts(diagnosis, "unmeasured_entities") is None
    assert counts(look([PAIR] * 10), "unmeasured_relations") is None, "there is no dev"


def test_triples() -> None:
    ends = [("Tem2", "P"), ("Dal92", "C")]
    train = [sample("Tem2 binds Dal92", ends, [(0, 1, "R")])]
    dev = [sample("Tem2 meets Dal92", ends, [(0, 1, "R"), (1, 0, "R")])]
    diagnosis = look(train, dev)
    assert counts(diagnosis, "new_triples", "dev") == (1, 2)
    assert find(diagnosis, "new_triples", "dev").examples == ("C R P: 1",)  # type: ignore[union-attr]
    assert counts(look(train, dev, replace(WORDS, symmetric=("R",))), "new_triples", "dev") is None


def test_relations_that_a_schema_forbids() -> None:
    ends = [("Tem2", "P"), ("Dal92", "C")]
    train = [sample("Tem2 binds Dal92", ends, [(0, 1, "R"), (0, 1, "S")])]
    dev = [sample("Tem2 meets Dal92", ends, [(0, 1, "R"), (1, 0, "R"), (0, 0, "NEW")])]

    def under(*triples: tuple[str | None, str | None, str | None]) -> Diagnosis:
        schema = Schema(frozenset(triples), {}, {}, True, Labels(("C", "P"), ("R", "S")))
        return look(train, dev, replace(WORDS, schema=schema))

    permissive = under((None, None, None))
    assert counts(permissive, "forbidden") is None and counts(permissive, "forbidden", "dev") is None
    some = under(("P", "R", None))
    assert counts(some, "forbidden") == (1, 2) and counts(some, "forbidden", "dev") == (1, 2), (
        "NEW is unknown"
    )
    found = find(some, "forbidden")
    assert found is not None and (found.level, found.examples) == ("warning", ("P S C: 1",))
    assert "1 kinds" in found.message and "they are never predicted" in found.message
    found = find(under(("C", "S", "C")), "forbidden")
    assert found is not None and found.level == "error" and "training stops" in found.message


def test_silence_and_symmetric_labels() -> None:
    diagnosis = look(
        [PAIR, sample("nobody looked", unannotated=True)], constraints=replace(WORDS, symmetric=("X",))
    )
    assert counts(diagnosis, "silent") == (1, 2)
    found = find(diagnosis, "unknown_symmetric")
    assert found and found.level == "error" and not found.repairable
    assert "BINDS" in found.message and found.examples == ("'X'",)


def test_texts_that_recur() -> None:
    text = numbered(14)
    changed = [
        sample(f"{text[:-4]}end"),
        sample(f"{numbered(12)[:-4]}end"),
        sample(text.upper() + " ."),
        PAIR,
    ]
    diagnosis = look([PAIR, sample(text)], changed)
    # 10 runs of 5 words each, of which 9 are shared: 9 / 11; of 8 and 10, 7 are: 7 / 11
    assert counts(diagnosis, "recurring", "dev") == (3, 4)
    shown = find(diagnosis, "recurring", "dev").examples  # type: ignore[union-attr]
    assert [line[:4] for line in shown] == ["1.00", "1.00", "0.82"]


def test_no_relations() -> None:
    with pytest.raises(
        ValueError, match=r"none of the 1 training texts.*expected doc\._\.relations.*convert"
    ):
        look([sample("Tem2", [("Tem2", "P")])])


def test_nothing_to_complain_about() -> None:
    assert not [found for found in look([PAIR] * 20).findings if found.level != "note"]


# near-duplicates


@pytest.mark.parametrize(
    ("one", "other", "similarity"),
    [
        ("a b c d e f", "a b c d e f", 1.0),
        ("a b", "a b", 1.0),
        ("a b", "a c", None),
        ("", "", None),
        (numbered(14), numbered(13) + " x", 9 / 11),
        (numbered(12), numbered(11) + " x", None),  # 7 / 9
    ],
)
def test_near_duplicates(one: str, other: str, similarity: float | None) -> None:
    expected = [] if similarity is None else [(0, 0, pytest.approx(similarity))]
    assert near_duplicates([one.split()], [other.split()]) == expected


def test_near_duplicates_are_those_that_comparing_all_pairs_finds() -> None:
    rng = random.Random(0)
    texts = [[rng.choice("abcd") for _ in range(rng.randrange(1, 40))] for _ in range(60)]
    others = []
    for text in rng.choices(texts, k=60):
        changed = list(text)
        changed[rng.randrange(len(changed))] = rng.choice("abcx")
        others.append(changed)

    def runs(words: list[str]) -> set[tuple[str, ...]]:
        return {tuple(words[start : start + 5]) for start in range(max(len(words) - 4, 1))}

    best = {}
    for number, other in enumerate(others):
        scores = [len(runs(x) & runs(other)) / len(runs(x) | runs(other)) for x in texts]
        if max(scores) >= 0.8:
            best[number] = (scores.index(max(scores)), max(scores))
    assert {index: (where, score) for where, index, score in near_duplicates(texts, others)} == best
    assert 10 < len(best) < 60


def test_a_context_that_nothing_has_is_a_warning() -> None:
    words = Tokenizer(models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()

    def cutter(window: int, overlap: int) -> WindowTokenizer:
        return WindowTokenizer(words, SpecialPieces((), (), 0), window, overlap, context=4)

    pair = sample("Tem2 binds Dal92 here", [("Tem2", "P"), ("Dal92", "P")], [(0, 1, "BINDS")])
    near = replace(pair, around=("before it", "and behind"))
    seeing = Constraints(cutter, longest=512)
    found = find(look([pair, pair], constraints=seeing), "context")
    assert found is not None and (found.level, found.count, found.total) == ("warning", 2, 2)
    assert "context = 4 has no effect" in found.message and '"a:1"' in found.message
    found = find(look([pair, near], constraints=seeing), "context")
    assert found is not None and (found.level, found.count) == ("note", 1)
    measured = look([near], constraints=seeing)
    assert find(measured, "context") is None
    assert measured.measures["train"].pieces == look([pair]).measures["train"].pieces, "without the context"
    assert find(look([pair]), "context") is None
