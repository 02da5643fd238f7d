"""Checks of a corpus alone: missing annotation, tokens, labels, and texts that occur in both splits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from spacy_bispn.diagnosis.near_duplicates import LEAST, SIZE, near_duplicates, spelled
from spacy_bispn.model.schema import Schema, known_relations, triple
from spacy_bispn.records import Entity, Extraction, Relation

FEW = 20  # examples: a label with fewer is hardly learnt
SHOWN = 3  # examples kept of a finding

Offsets = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Sample:
    """A text with gold.

    words: character offsets of the corpus's own tokens. tokens: character offsets of the tokens that the
    pipeline makes of the text. unannotated: whether its relations are not annotated, not even as none.
    sentences: the characters where they begin.
    id: that of the text in its corpus, if it has one. around: what stands before and behind it.
    """

    text: str
    words: Offsets
    tokens: Offsets
    extraction: Extraction
    unannotated: bool = False
    sentences: tuple[int, ...] = ()
    id: str = ""
    around: tuple[str, str] = ("", "")

    @property
    def named(self) -> str:
        """The text behind its id."""
        return f"{self.id}: {self.text}" if self.id else self.text

    @property
    def spelling(self) -> list[str]:
        """The corpus's own tokens."""
        return [self.text[start:end] for start, end in self.words]


@dataclass(frozen=True)
class Finding:
    """A likely problem, and how often it occurs: `count` of `total`.

    level: an "error" stops the training, a "warning" lowers scores, a "note" is for information.
    code: its kind, an identifier for programs. split: "train" or "dev".
    repairable: whether the recommended settings make it rarer.
    """

    level: Literal["error", "warning", "note"]
    code: str
    split: str
    count: int
    total: int
    message: str
    examples: tuple[str, ...] = ()
    repairable: bool = False


def check_corpus(
    train: Sequence[Sample],
    dev: Sequence[Sample],
    symmetric: Sequence[str],
    dev_file: str,
    schema: Schema | None = None,
) -> Iterator[Finding]:
    """All findings that do not depend on the settings of the model; `dev_file` is where dev is read from."""
    yield from check_unannotated(train)
    for split, samples in (("train", train), ("dev", dev)):
        yield from check_tokens(split, samples)
        if schema is not None:
            yield from check_forbidden(split, samples, schema)
    yield from check_labels(train, dev)
    yield from check_symmetric(train, symmetric)
    yield from check_triples(train, dev, symmetric)
    yield from check_recurrence(train, dev, dev_file)


def check_unannotated(train: Sequence[Sample]) -> Iterator[Finding]:
    """Texts without annotation of relations, which are not learnt from."""
    texts = [sample.named for sample in train if sample.unannotated]
    if texts:
        yield Finding(
            "warning", "silent", "train", len(texts), len(train),
            "texts are not annotated with relations and are not learnt from: assign doc._.relations = [] "
            "where a text has none.", shown(texts),
        )  # fmt: skip


def check_tokens(split: str, samples: Sequence[Sample]) -> Iterator[Finding]:
    """Gold that does not fit the pipeline's tokens; that of a `.spacy` file fits the file's own tokens."""
    cut = [mention(s, entity) for s in samples for entity in s.extraction.entities if inside(s, entity)]
    if cut:
        total = sum(len(sample.extraction.entities) for sample in samples)
        yield Finding(
            "warning", "inside_token", split, len(cut), total,
            "entities end inside a token of the pipeline's tokenizer, and from raw text only the whole token "
            "can be predicted: set nlp.tokenizer to that of the corpus, or to "
            "spacy-bispn.PunctuationTokenizer.v1.", shown(cut),
        )  # fmt: skip
    other = [sample.named for sample in samples if sample.words != sample.tokens]
    if other:
        yield Finding(
            "note", "other_tokens", split, len(other), len(samples),
            "texts have other tokens in the corpus than the pipeline makes of them: scores on raw text may "
            "differ from those during training.", shown(other),
        )  # fmt: skip


def check_labels(train: Sequence[Sample], dev: Sequence[Sample]) -> Iterator[Finding]:
    """Labels with few examples, and labels that only one of the splits has."""
    kinds: tuple[tuple[str, Callable[[Extraction], Sequence[Entity | Relation[Entity]]]], ...] = (
        ("entities", lambda extraction: extraction.entities),
        ("relations", lambda extraction: extraction.relations),
    )
    for kind, items in kinds:
        learnt, seen = (
            Counter(x.label for sample in split for x in items(sample.extraction)) for split in (train, dev)
        )
        few = {label: count for label, count in learnt.items() if count < FEW}
        if few:
            yield Finding(
                "warning", f"few_{kind}", "train", len(few), len(learnt),
                f"labels of {kind} have fewer than {FEW} examples and will hardly be learnt: annotate more, "
                f"merge them with others (`spacy bispn convert --rename OLD=NEW`).",
                named(few),
            )  # fmt: skip
        new = {label: count for label, count in seen.items() if label not in learnt}
        if new:
            yield Finding(
                "warning", f"new_{kind}", "dev", len(new), len(seen),
                f"labels of {kind} do not occur in train and are never predicted: correct their spelling, or "
                f"split the corpus differently.", named(new),
            )  # fmt: skip
        unmeasured = {label: count for label, count in learnt.items() if label not in seen}
        if dev and unmeasured:
            yield Finding(
                "note", f"unmeasured_{kind}", "train", len(unmeasured), len(learnt),
                f"labels of {kind} do not occur in dev: no score measures how well they are learnt.",
                named(unmeasured),
            )  # fmt: skip


def check_symmetric(train: Sequence[Sample], symmetric: Sequence[str]) -> Iterator[Finding]:
    """Labels in symmetric_labels that the corpus does not have."""
    known = {relation.label for sample in train for relation in sample.extraction.relations}
    unknown = sorted(set(symmetric) - known)
    if unknown:
        yield Finding(
            "error", "unknown_symmetric", "train", len(unknown), len(set(symmetric)),
            f"labels in symmetric_labels are not relation labels of the corpus ({', '.join(sorted(known))}): "
            f"correct their spelling.", tuple(map(repr, unknown[:SHOWN])),
        )  # fmt: skip


def check_triples(
    train: Sequence[Sample], dev: Sequence[Sample], symmetric: Sequence[str]
) -> Iterator[Finding]:
    """Relations of dev whose triple of labels (head, relation, tail) train does not have."""
    learnt, seen = (
        Counter(triple(x, symmetric) for sample in split for x in sample.extraction.relations)
        for split in (train, dev)
    )
    new = {" ".join(key): count for key, count in seen.items() if key not in learnt}
    if new:
        yield Finding(
            "warning", "new_triples", "dev", sum(new.values()), sum(seen.values()),
            f"relations are of {len(new)} kinds (label of the head, relation, label of the tail) that train "
            f"does not have: look for wrong labels, or split the corpus differently.", named(new),
        )  # fmt: skip


def check_forbidden(split: str, samples: Sequence[Sample], schema: Schema) -> Iterator[Finding]:
    """Relations that the schema of the component forbids."""
    relations = known_relations([sample.extraction for sample in samples], schema.labels)
    forbidden = schema.forbidden(relations)
    count, total = forbidden.total(), len(relations)
    if forbidden:
        stops = split == "train" and count == total
        yield Finding(
            "error" if stops else "warning", "forbidden", split, count, total,
            f"relations are of {len(forbidden)} kinds (label of the head, relation, label of the tail) that "
            f"the schema forbids: "
            + ("training stops with an error." if stops else "they are never predicted."), named(forbidden),
        )  # fmt: skip


def check_recurrence(train: Sequence[Sample], dev: Sequence[Sample], dev_file: str) -> Iterator[Finding]:
    """Texts of dev that are nearly the same as one of train."""
    learnt, seen = ([spelled(sample.spelling) for sample in split] for split in (train, dev))
    pairs = near_duplicates(learnt, seen)
    if pairs:
        pairs.sort(key=lambda pair: -pair[2])
        yield Finding(
            "warning", "recurring", "dev", len(pairs), len(dev),
            f"texts are nearly the same as one of train (Jaccard index of {SIZE}-word shingles at least "
            f"{LEAST}): scores on them measure memorization. Convert train again with "
            f"`spacy bispn convert --drop-recurring {dev_file}`, which leaves them out of it.",
            tuple(f"{score:.2f}: {clip(dev[index].named)}" for _, index, score in pairs[:SHOWN]),
        )  # fmt: skip


def inside(sample: Sample, entity: Entity) -> bool:
    """Whether an entity ends inside one of the pipeline's tokens."""
    within = [(s, e) for s, e in sample.tokens if s < entity.end and entity.start < e]
    return bool(within) and (within[0][0] < entity.start or entity.end < within[-1][1])


def mention(sample: Sample, entity: Entity) -> str:
    """An entity as an example: its words, its label, and the text that it is in."""
    return f"{clip(sample.text[entity.start : entity.end])} ({entity.label}) in {clip(sample.named)}"


def named(counts: dict[str, int]) -> tuple[str, ...]:
    """All labels with their counts, the rarest first."""
    return tuple(f"{label}: {count}" for label, count in sorted(counts.items(), key=lambda x: (x[1], x[0])))


def shown(items: Iterable[str]) -> tuple[str, ...]:
    """The first few distinct examples, clipped."""
    return tuple(clip(item, 160) for item in list(dict.fromkeys(items))[:SHOWN])


def clip(text: str, width: int = 60) -> str:
    """A text on one line, at most `width` characters."""
    line = " ".join(text.split())
    return line if len(line) <= width else line[: width - 1] + "…"
