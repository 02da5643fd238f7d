"""A split of a corpus: its texts as one window each, and cut into windows as the model does it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from spacy_bispn.diagnosis.corpus_checks import Sample
from spacy_bispn.diagnosis.spread import Spread
from spacy_bispn.model.mentions import relations_of_things, things_by_words
from spacy_bispn.model.schema import Schema
from spacy_bispn.model.targets import assign_to_windows, with_inverses
from spacy_bispn.model.windowing import Window, WindowTokenizer
from spacy_bispn.records import Labels

UNLIMITED = 2**40  # pieces or relations


@dataclass(frozen=True)
class CorpusSettings:
    """The settings that depend on the corpus, with their names in the config.

    Numbers of queries are per window; lengths are in pieces, `longest_span` None for no limit.
    `share_relations` and `pool_mentions` are whether mentions with the same words are taken for one thing, in
    decoding and in the network.
    """

    entity_queries: float
    relation_queries: float
    window: int
    overlap: int
    longest_span: int | None
    share_relations: bool = False
    pool_mentions: bool = False


@dataclass(frozen=True)
class Constraints:
    """What no recommendation changes.

    cutter: makes a WindowTokenizer from window and overlap. longest: the most positions a window can have.
    symmetric: relation labels without a direction. proposed: whether queries are proposed from the text.
    skips: whether training leaves out gold beyond the number of queries.
    schema: which relations are permitted, None for all.
    """

    cutter: Callable[[int, int], WindowTokenizer]
    longest: int
    symmetric: tuple[str, ...] = ()
    proposed: bool = True
    skips: bool = False
    schema: Schema | None = None


@dataclass(frozen=True)
class Measures:
    """A split in numbers: entities, relations, and relations with inverses of symmetric ones (`both_ways`)
    of each window; pieces of each text and of each entity.
    """

    texts: int
    windows: int
    entities: Spread
    relations: Spread
    both_ways: Spread
    pieces: Spread
    entity_pieces: Spread


class Split:
    """The texts of a split: each as one window, and on request cut into windows."""

    def __init__(
        self, name: str, samples: Sequence[Sample], constraints: Constraints, labels: Labels
    ) -> None:
        self.name = name
        self.samples = samples
        self.constraints = constraints
        self.labels = labels
        self.whole = self._windows(replace(constraints.cutter(8, 0), window=UNLIMITED, overlap=0, context=0))
        self.shares, _ = assign_to_windows(self.whole, [sample.extraction for sample in samples], labels)

    def _windows(self, window_tokenizer: WindowTokenizer) -> list[Window]:
        texts, tokens = [x.text for x in self.samples], [x.words for x in self.samples]
        return window_tokenizer.windows(texts, tokens, around=[x.around for x in self.samples])

    def cut(self, window: int, overlap: int) -> Cut:
        """Cut the texts into windows, as the model does with these settings."""
        window_tokenizer = self.constraints.cutter(window, overlap)
        windows = self.whole
        if window_tokenizer.context or any(len(x.ids) > window_tokenizer.window for x in windows):
            windows = self._windows(window_tokenizer)
        shares, report = assign_to_windows(
            windows, [sample.extraction for sample in self.samples], self.labels
        )
        return Cut(
            window_tokenizer,
            [len(share.entities) for share in shares],
            [len(share.relations) for share in shares],
            [len(with_inverses(share.relations, self.constraints.symmetric, UNLIMITED)) for share in shares],
            (report.unplaced_entities, report.entities),
            (report.unplaced_relations, report.relations),
            sum(not window.context for window in windows),
        )

    @property
    def pieces(self) -> list[int]:
        """The length of each text in pieces, those that open and close it included."""
        return [len(window.ids) for window in self.whole]

    @cached_property
    def shared_relations(self) -> tuple[int, int]:
        """Of things with several mentions, how many relations gold has, and how many it would have if all
        mentions had the relations of one.
        """
        there = possible = 0
        for sample in self.samples:
            gold = sample.extraction
            thing = things_by_words(sample.text)
            for found, all_of_them in relations_of_things(
                gold.relations, gold.entities, thing, self.constraints.symmetric
            ):
                if len(all_of_them) > 1:
                    there, possible = there + len(found), possible + len(all_of_them)
        return there, possible

    @property
    def entity_pieces(self) -> list[int]:
        """The length of each entity in pieces."""
        return [last - first + 1 for share in self.shares for _, (first, last) in share.entities]


@dataclass(frozen=True)
class Cut:
    """A split in windows: gold items of each window, (lost, all) items of the whole split, and how many
    windows have nothing around them.
    """

    window_tokenizer: WindowTokenizer
    entities: list[int]
    relations: list[int]
    both_ways: list[int]
    lost_entities: tuple[int, int]
    lost_relations: tuple[int, int]
    alone: int
