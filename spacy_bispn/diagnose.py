"""What will hurt a training, told from its corpus and its settings before it starts, and better settings."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from .findings import Finding, Sample, check_corpus, mention, shown
from .nn.queries import COPIES
from .pieces import Piecer, Window
from .records import Labels
from .targets import WindowGold, place, with_inverses

WHOLE = 2**40  # a window that no text fills
HEADROOM = 1.25  # a new text may say a quarter more than any in the corpus
ONE_WAY = 0.01  # the share of windows whose symmetric relations may go without some inverses


@dataclass(frozen=True)
class Settings:
    """The settings that depend on the corpus, with their names in the config."""

    entity_queries: int
    relation_queries: int
    window: int
    overlap: int
    longest_span: int


@dataclass(frozen=True)
class Fixed:
    """What the recommendation takes as it is.

    cutter: makes a Piecer from window and overlap. longest: the most positions a window can have.
    symmetric: relation labels without a direction. proposed: whether the text proposes the queries.
    """

    cutter: Callable[[int, int], Piecer]
    longest: int
    symmetric: tuple[str, ...] = ()
    proposed: bool = True


@dataclass(frozen=True)
class Spread:
    """Mean, the values that 95 and 99 % do not exceed, and the largest; all 0 where there are none."""

    mean: float
    p95: int
    p99: int
    most: int

    @classmethod
    def of(cls, values: Iterable[int]) -> Spread:
        """Percentiles are values that occur (nearest rank)."""
        ordered = sorted(values)
        if not ordered:
            return cls(0.0, 0, 0, 0)
        p95, p99 = (ordered[math.ceil(len(ordered) * share / 100) - 1] for share in (95, 99))
        return cls(sum(ordered) / len(ordered), p95, p99, ordered[-1])


@dataclass(frozen=True)
class Measures:
    """One split in numbers: `both_ways` are relations with the inverses of symmetric ones."""

    texts: int
    windows: int
    entities: Spread
    relations: Spread
    both_ways: Spread
    pieces: Spread
    entity_pieces: Spread


@dataclass(frozen=True)
class Diagnosis:
    """The whole report; `recommended` repairs what settings can repair."""

    settings: Settings
    recommended: Settings
    measures: dict[str, Measures]
    findings: tuple[Finding, ...]

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


class Split:
    """Some texts cut into windows, once uncut and once by settings."""

    def __init__(self, name: str, samples: Sequence[Sample], fixed: Fixed, labels: Labels) -> None:
        self.name = name
        self.samples = samples
        self.fixed = fixed
        self.labels = labels
        self.whole = self._windows(replace(fixed.cutter(8, 0), window=WHOLE, overlap=0))
        self.shares, _ = place(self.whole, [sample.extraction for sample in samples], labels)

    def _windows(self, piecer: Piecer) -> list[Window]:
        return piecer.windows([x.text for x in self.samples], [x.words for x in self.samples])

    def cut(self, window: int, overlap: int) -> Cut:
        """The same texts as the model reads them."""
        piecer = self.fixed.cutter(window, overlap)
        windows = self.whole
        if any(len(x.ids) > piecer.window for x in windows):
            windows = self._windows(piecer)
        shares, report = place(windows, [sample.extraction for sample in self.samples], self.labels)
        return Cut(
            piecer,
            [len(share.entities) for share in shares],
            [len(share.relations) for share in shares],
            [len(with_inverses(share.relations, self.fixed.symmetric, WHOLE)) for share in shares],
            (report.unplaced_entities, report.entities),
            (report.unplaced_relations, report.relations),
        )

    @property
    def pieces(self) -> list[int]:
        """The length of each text, with the pieces that open and close it."""
        return [len(window.ids) for window in self.whole]

    @property
    def entity_pieces(self) -> list[int]:
        """The length of each entity."""
        return [last - first + 1 for share in self.shares for _, (first, last) in share.entities]


@dataclass(frozen=True)
class Cut:
    """What windows show of a split: gold items of each window, and (lost, all) items of the split."""

    piecer: Piecer
    entities: list[int]
    relations: list[int]
    both_ways: list[int]
    lost_entities: tuple[int, int]
    lost_relations: tuple[int, int]


def diagnose(train: Sequence[Sample], dev: Sequence[Sample], settings: Settings, fixed: Fixed) -> Diagnosis:
    """Look for what will hurt, and recommend settings. `dev` may be empty.

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
    splits = [Split(name, samples, fixed, labels) for name, samples in given]
    recommended = recommend(splits, fixed)
    findings = [*check_corpus(train, dev, fixed.symmetric)]
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
    return Diagnosis(settings, recommended, measures, tuple(findings))


def measure(split: Split, cut: Cut) -> Measures:
    """The numbers of a split."""
    counts = (cut.entities, cut.relations, cut.both_ways, split.pieces, split.entity_pieces)
    return Measures(len(split.samples), len(cut.entities), *map(Spread.of, counts))


def recommend(splits: Sequence[Split], fixed: Fixed) -> Settings:
    """Settings that hold every text of some splits.

    The window holds the longest text, if the encoder can, and shares a quarter with its neighbours, or
    half where that keeps more relations. Entity queries and the longest span leave a quarter of headroom;
    relation queries hold the most relations of a window, and of 99 % of windows also the inverses.
    """
    longest = max((size for split in splits for size in split.pieces), default=0)
    window = min(max(up(longest, 64), 64), fixed.longest)
    overlaps = (window // 4, window // 2 - 1) if longest > window else (window // 4,)
    cuts = {overlap: [split.cut(window, overlap) for split in splits] for overlap in overlaps}
    overlap = min(overlaps, key=lambda x: (sum(cut.lost_relations[0] for cut in cuts[x]), x))
    entities = max((n for cut in cuts[overlap] for n in cut.entities), default=0)
    relations = max((n for cut in cuts[overlap] for n in cut.relations), default=0)
    both = max(Spread.of(cut.both_ways).p99 for cut in cuts[overlap])
    span = max((size for split in splits for size in split.entity_pieces), default=0)
    return Settings(
        entity_queries=max(up(entities * HEADROOM, 8), 16),
        relation_queries=max(up(max(relations, both), 8), 16),
        window=window,
        overlap=overlap,
        longest_span=max(up(span * HEADROOM, 8), 16),
    )


def up(value: float, step: int) -> int:
    """`value` as the next multiple of `step`."""
    return math.ceil(value / step) * step


def check_settings(split: Split, cut: Cut, settings: Settings) -> Iterator[Finding]:
    """What other settings may repair."""
    stops = split.name == "train"
    for name, counts in (("entity_queries", cut.entities), ("relation_queries", cut.relations)):
        limit = getattr(settings, name)
        over = sum(count > limit for count in counts)
        if over:
            yield Finding(
                "error" if stops else "warning", name, split.name, over, len(counts),
                f"windows have more gold than {name} = {limit}, up to {max(counts)}: "
                + ("the training stops." if stops else "the rest cannot be found."),
            )  # fmt: skip
    limit = settings.relation_queries
    one_way = sum(one <= limit < both for one, both in zip(cut.relations, cut.both_ways, strict=True))
    if stops and one_way > ONE_WAY * len(cut.relations):
        yield Finding(
            "warning", "one_way", split.name, one_way, len(cut.relations),
            f"windows have symmetric relations that relation_queries = {limit} lets be taught partly in one "
            f"direction only.",
        )  # fmt: skip
    for kind, (lost, total) in (("entities", cut.lost_entities), ("relations", cut.lost_relations)):
        if lost:
            yield Finding(
                "warning", f"lost_{kind}", split.name, lost, total,
                f"{kind} lie in no window of {cut.piecer.window} pieces that share {cut.piecer.overlap}, and "
                f"are neither learnt nor found.",
            )  # fmt: skip
    long = sum(size > cut.piecer.window for size in split.pieces)
    if long:
        yield Finding(
            "note", "cut_texts", split.name, long, len(split.pieces),
            f"texts are longer than {cut.piecer.window} pieces and are read in several windows.",
        )  # fmt: skip
    if stops and settings.window > split.fixed.longest:
        yield Finding(
            "note", "window", split.name, 1, 1,
            f"window = {settings.window} is more than the encoder can read: {split.fixed.longest} are used.",
        )  # fmt: skip
    wide = sum(size > settings.longest_span for size in split.entity_pieces)
    if wide:
        yield Finding(
            "warning", "longest_span", split.name, wide, len(split.entity_pieces),
            f"entities are longer than longest_span = {settings.longest_span} pieces, up to "
            f"{max(split.entity_pieces)}, and are never predicted.",
        )  # fmt: skip


def check_pieces(split: Split) -> Iterator[Finding]:
    """Gold that wordpieces cannot tell apart, and more labels of one span or pair than there are places."""
    widened, spans, pairs = [], [], []
    total = pair_total = span_total = 0
    for window, share in zip(split.whole, split.shares, strict=True):
        sample = split.samples[window.text]
        total += len(share.entities)
        widened += [
            mention(sample, entity) for entity, (first, last) in share.entities
            if window.start[first] < entity.start or entity.end < window.end[last]
        ]  # fmt: skip
        on_span, on_pair = occupied(share, split.fixed.symmetric)
        span_total, pair_total = span_total + len(on_span), pair_total + len(on_pair)
        spans += [sample.text for count in on_span.values() if count > COPIES]
        pairs += [sample.text for count in on_pair.values() if count > COPIES]
    if widened:
        yield Finding(
            "warning", "inside_piece", split.name, len(widened), total,
            "entities end inside a wordpiece and are taught as the whole piece: an encoder with smaller "
            "pieces tells them apart.", shown(widened),
        )  # fmt: skip
    crowded = (("crowded_spans", "spans", "labels", spans, span_total),
               ("crowded_pairs", "pairs of spans", "relations", pairs, pair_total))  # fmt: skip
    for code, what, items, texts, number in crowded:
        if texts and split.fixed.proposed:
            yield Finding(
                "warning", code, split.name, len(texts), number, f"{what} have more {items} than the "
                f'{COPIES} that proposals hold: merge labels, or set queries = "learned".', shown(texts),
            )  # fmt: skip


def occupied(
    share: WindowGold, symmetric: Sequence[str]
) -> tuple[Counter[tuple[int, int]], Counter[tuple[int, int, int, int]]]:
    """How many entities each span of pieces has, and how many relations each ordered pair of spans."""
    at = dict(share.entities)
    relations = with_inverses(share.relations, symmetric, WHOLE)
    return Counter(at.values()), Counter((*at[x.head], *at[x.tail]) for x in relations)
