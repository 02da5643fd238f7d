"""Likely problems of a training, found in its corpus and settings before it starts, and better settings."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from spacy_bispn.diagnosis.corpus_checks import Finding, Sample, check_corpus, mention, shown
from spacy_bispn.diagnosis.levels import LevelComparison
from spacy_bispn.diagnosis.splits import UNLIMITED, Constraints, CorpusSettings, Cut, Measures, Split
from spacy_bispn.diagnosis.spread import Spread
from spacy_bispn.model.targets import WindowGold, with_inverses
from spacy_bispn.nn.queries import COPIES
from spacy_bispn.records import AnnotatedText, Labels

HEADROOM = 1.25  # a new text may have a quarter more entities than any in the corpus
LEAST_SHARED = 0.95  # of the relations of things with several mentions, those that gold has
ENOUGH = 20  # of them: fewer tell nothing about a corpus
ONE_WAY = 0.01  # the share of windows that may lack inverses of symmetric relations without a warning


@dataclass(frozen=True)
class Diagnosis:
    """The whole report; the `recommended` settings repair what settings can repair."""

    settings: CorpusSettings
    recommended: CorpusSettings
    measures: dict[str, Measures]
    findings: tuple[Finding, ...]
    levels: LevelComparison

    def as_json(self) -> dict[str, Any]:
        """The report as dicts, lists, strings and numbers."""
        return asdict(self) | {"levels": self.levels.as_json()}


def diagnose(
    train: Sequence[Sample],
    dev: Sequence[Sample],
    settings: CorpusSettings,
    constraints: Constraints,
    dev_file: str = "dev.spacy",
) -> Diagnosis:
    """Look for likely problems, and recommend settings. `dev` may be empty; `dev_file` is where it is from.

    Raises ValueError if no text of `train` has a relation.
    """
    gold = [sample.extraction for sample in (*train, *dev)]
    if not any(sample.extraction.relations for sample in train):
        raise ValueError(
            f"none of the {len(train)} training texts has a relation, expected doc._.relations on them: "
            f"convert the corpus with `spacy bispn convert`, or assign doc._.relations and save it anew."
        )
    labels = Labels(
        tuple(sorted({x.label for extraction in gold for x in extraction.entities})),
        tuple(sorted({x.label for extraction in gold for x in extraction.relations})),
    )
    given = (("train", train), ("dev", dev)) if dev else (("train", train),)
    splits = [Split(name, samples, constraints, labels) for name, samples in given]
    recommended = recommend(splits, constraints, settings)
    findings = [*check_corpus(train, dev, constraints.symmetric, dev_file, constraints.schema)]
    measures: dict[str, Measures] = {}
    for split in splits:
        cut = split.cut(settings.window, settings.overlap)
        measures[split.name] = measure(split, cut)
        findings += check_pieces(split)
        better = split.cut(recommended.window, recommended.overlap)
        left = {x.code: x.count for x in check_settings(split, better, recommended)}
        findings += [
            replace(found, repairable=left.get(found.code, 0) < found.count)
            for found in check_settings(split, cut, settings)
        ]
    findings.sort(key=lambda found: ("error", "warning", "note").index(found.level))
    return Diagnosis(settings, recommended, measures, tuple(findings), compare_levels(splits[0]))


def compare_levels(split: Split) -> LevelComparison:
    """Compare what the texts of a split would be if they were cut otherwise."""
    unit = "tokens" if split.constraints.cutter(8, 0).tokenizer is None else "pieces"
    levels = LevelComparison(split.constraints.longest, "as they are", unit)
    for window in split.whole:
        if not levels.is_full:
            sample = split.samples[window.text]
            units = window.start[window.start >= 0].tolist()
            levels.add(AnnotatedText("", sample.text, sample.extraction), sample.sentences, units)
    return levels


def measure(split: Split, cut: Cut) -> Measures:
    """Measure a split and its windows."""
    counts = (cut.entities, cut.relations, cut.both_ways, split.pieces, split.entity_pieces)
    return Measures(len(split.samples), len(cut.entities), *map(Spread.of, counts))


def recommend(splits: Sequence[Split], constraints: Constraints, given: CorpusSettings) -> CorpusSettings:
    """Settings that fit every text of some splits.

    The window holds the longest text, if the encoder can, and overlaps its neighbours by a quarter, or by
    half where that keeps more relations. Entity queries and the longest span leave a quarter of headroom;
    relation queries hold the most relations of a window, and of 99 % of windows also the inverses. Mentions
    share relations where they do in the gold of train, or as `given` where that has too few to tell.
    """
    longest = max((size for split in splits for size in split.pieces), default=0)
    window = min(max(up(longest, 64), 64), constraints.longest)
    overlaps = (window // 4, window // 2 - 1) if longest > window else (window // 4,)
    cuts = {overlap: [split.cut(window, overlap) for split in splits] for overlap in overlaps}
    overlap = min(overlaps, key=lambda x: (sum(cut.lost_relations[0] for cut in cuts[x]), x))
    entities = max((n for cut in cuts[overlap] for n in cut.entities), default=0)
    relations = max((n for cut in cuts[overlap] for n in cut.relations), default=0)
    both = max(Spread.of(cut.both_ways).p99 for cut in cuts[overlap])
    there, possible = splits[0].shared_relations
    things = None if possible < ENOUGH else there >= LEAST_SHARED * possible  # whether train relates things
    span = max((size for split in splits for size in split.entity_pieces), default=0)
    return CorpusSettings(
        entity_queries=max(up(entities * HEADROOM, 8), 16),
        relation_queries=max(up(max(relations, both), 8), 16),
        window=window,
        overlap=overlap,
        longest_span=max(up(span * HEADROOM, 8), 16),
        share_relations=given.share_relations if things is None else things,
        pool_mentions=given.pool_mentions if things is None else things and constraints.proposed,
    )


def up(value: float, step: int) -> int:
    """`value` as the next multiple of `step`."""
    return math.ceil(value / step) * step


def check_settings(split: Split, cut: Cut, settings: CorpusSettings) -> Iterator[Finding]:
    """Problems that other settings may repair."""
    train = split.name == "train"
    stops = train and not split.constraints.skips
    for name, counts in (("entity_queries", cut.entities), ("relation_queries", cut.relations)):
        limit = getattr(settings, name)
        over = sum(count > limit for count in counts)
        if over:
            yield Finding(
                "error" if stops else "warning", name, split.name, over, len(counts),
                f"windows have more gold than {name} = {limit}, up to {max(counts)}: "
                + ("training stops with an error." if stops else "the rest cannot be predicted."),
            )  # fmt: skip
    limit = settings.relation_queries
    one_way = sum(one <= limit < both for one, both in zip(cut.relations, cut.both_ways, strict=True))
    if train and one_way > ONE_WAY * len(cut.relations):
        yield Finding(
            "warning", "one_way", split.name, one_way, len(cut.relations),
            f"windows have more symmetric relations than relation_queries = {limit} can learn in both "
            f"directions; some are learnt in one direction only.",
        )  # fmt: skip
    for kind, (lost, total) in (("entities", cut.lost_entities), ("relations", cut.lost_relations)):
        if lost:
            yield Finding(
                "warning", f"lost_{kind}", split.name, lost, total,
                f"{kind} are in no single window of {cut.window_tokenizer.window} pieces with an overlap of "
                f"{cut.window_tokenizer.overlap}, and are neither learnt nor predicted.",
            )  # fmt: skip
    long = sum(size > cut.window_tokenizer.window for size in split.pieces)
    if long:
        yield Finding(
            "note", "cut_texts", split.name, long, len(split.pieces),
            f"texts are longer than {cut.window_tokenizer.window} pieces and are read in several windows.",
        )  # fmt: skip
    if cut.window_tokenizer.context and cut.alone:
        yield Finding(
            "warning" if cut.alone == len(cut.entities) else "note", "context", split.name, cut.alone,
            len(cut.entities), f"windows have nothing around them, so that context = "
            f"{cut.window_tokenizer.context} has no effect: expected are texts longer than a window, or "
            f'passages of documents with ids such as "a:0" and "a:1", as `spacy bispn convert` makes them.',
        )  # fmt: skip
    longest = split.constraints.longest
    if train and settings.window > longest:
        yield Finding(
            "note", "window", split.name, 1, 1,
            f"window = {settings.window} is more than the encoder has positions for: {longest} are used.",
        )  # fmt: skip
    if train:
        yield from check_things(split, settings)
    limit = settings.longest_span or math.inf
    wide = sum(size > limit for size in split.entity_pieces)
    if wide:
        yield Finding(
            "warning", "longest_span", split.name, wide, len(split.entity_pieces),
            f"entities are longer than longest_span = {settings.longest_span} pieces, up to "
            f"{max(split.entity_pieces)}, and are never predicted.",
        )  # fmt: skip


def check_things(split: Split, settings: CorpusSettings) -> Iterator[Finding]:
    """Whether mentions of one thing share relations in the gold, and in what is predicted."""
    there, possible = split.shared_relations
    alike = there >= LEAST_SHARED * possible
    if settings.share_relations and possible > there:
        yield Finding(
            "note" if alike else "warning", "share_relations", split.name, possible - there, possible,
            "relations that share_relations = true gives to things with several mentions are not in the "
            "gold.",
        )  # fmt: skip
    usable = ("share_relations", "pool_mentions") if split.constraints.proposed else ("share_relations",)
    off = [name for name in usable if not getattr(settings, name)]
    if off and alike and possible >= ENOUGH:
        yield Finding(
            "note", "share_relations", split.name, there, possible,
            "relations that share_relations = true gives to things with several mentions are in the gold: "
            f"set {' and '.join(off)} to true.",
        )  # fmt: skip


def check_pieces(split: Split) -> Iterator[Finding]:
    """Gold that ends inside a wordpiece, and more labels on one span or pair than proposals have copies."""
    widened, spans, pairs = [], [], []
    total = pair_total = span_total = 0
    for window, share in zip(split.whole, split.shares, strict=True):
        sample = split.samples[window.text]
        total += len(share.entities)
        widened += [
            mention(sample, entity) for entity, (first, last) in share.entities
            if window.start[first] < entity.start or entity.end < window.end[last]
        ]  # fmt: skip
        on_span, on_pair = occupied(share, split.constraints.symmetric)
        span_total, pair_total = span_total + len(on_span), pair_total + len(on_pair)
        spans += [sample.named for count in on_span.values() if count > COPIES]
        pairs += [sample.named for count in on_pair.values() if count > COPIES]
    if widened:
        yield Finding(
            "warning", "inside_piece", split.name, len(widened), total,
            "entities end inside a wordpiece and are learnt as the whole piece: an encoder with smaller "
            "pieces can separate them.", shown(widened),
        )  # fmt: skip
    crowded = (("crowded_spans", "spans", "labels", spans, span_total),
               ("crowded_pairs", "pairs of spans", "relations", pairs, pair_total))  # fmt: skip
    for code, what, items, texts, number in crowded:
        if texts and split.constraints.proposed:
            yield Finding(
                "warning", code, split.name, len(texts), number, f"{what} have more {items} than the "
                f'{COPIES} that proposals allow: merge labels, or set queries = "learned".', shown(texts),
            )  # fmt: skip


def occupied(
    share: WindowGold, symmetric: Sequence[str]
) -> tuple[Counter[tuple[int, int]], Counter[tuple[int, int, int, int]]]:
    """How many entities each span of pieces has, and how many relations each ordered pair of spans."""
    at = dict(share.entities)
    relations = with_inverses(share.relations, symmetric, UNLIMITED)
    return Counter(at.values()), Counter((*at[x.head], *at[x.tail]) for x in relations)
