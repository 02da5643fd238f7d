"""A demo corpus: invented biomedical sentences with nested entities and directed relations.

The names of each split are its own, built from pieces that all splits share, so that a model has to read
names by shape and context; the sentences of `unseen` are built from frames that no other split uses.
A name inside a longer one, such as Tem2 in "Tem2-positive T cells", is an entity but no argument.
"""

from __future__ import annotations

import json
import random
import re
import zlib
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from spacy_bispn.demo.grammar import (
    ADVERBIALS,
    HELD_OUT,
    JOINERS,
    NAMES,
    OPENERS,
    PHRASES,
    PIECES,
    SHARED,
    Frames,
)
from spacy_bispn.files import save
from spacy_bispn.records import AnnotatedText, Entity, Extraction, Relation
from spacy_bispn.settings import SettingError

SYMMETRIC = ("BINDS",)
SIZES: Mapping[str, int] = MappingProxyType({"train": 2000, "dev": 150, "test": 200, "unseen": 200})

_WORDS = range(8, 36)
_ENTITIES = range(1, 9)
_RELATIONS = range(0, 7)
_COORDINATED = (1, 1, 1, 2, 2, 3)
_TWO_CLAUSES = 0.4

_SLOT_OR_VERB = re.compile(r"\{(?P<slot>\w):(?P<kind>\w+)(?P<many>\+?)\}|(?P<singular>\w+)\|(?P<plural>\w+)")
_BRACKET = re.compile(r"(\[(?:\w+:)?[A-Z]+ |\])")


def generate(seed: int = 0, sizes: Mapping[str, int] = SIZES) -> dict[str, list[AnnotatedText]]:
    """The splits named in `sizes`, each depending on the seed and its own size only.

    Names are disjoint between splits, whatever the seeds; a larger split begins with the texts of a smaller
    one. Raises SettingError for an unknown split.
    """
    if unknown := sizes.keys() - SIZES.keys():
        raise SettingError("the split", min(unknown), f"one of {', '.join(SIZES)}", "correct its name")
    return {split: [_draw(split, seed, i) for i in range(size)] for split, size in sizes.items()}


def write(folder: Path, seed: int = 0, sizes: Mapping[str, int] = SIZES) -> None:
    """Write each split to `folder` as `<split>.jsonl`, one text a line, relations between entity indices."""
    for split, texts in generate(seed, sizes).items():
        lines = (json.dumps(_as_json(text), ensure_ascii=False) + "\n" for text in texts)
        save(folder / f"{split}.jsonl", "".join(lines))


def _as_json(text: AnnotatedText) -> dict[str, object]:
    entities, relations = text.extraction.entities, text.extraction.relations
    return {
        "id": text.id,
        "text": text.text,
        "entities": [[e.start, e.end, e.label] for e in entities],
        "relations": [[entities.index(r.head), entities.index(r.tail), r.label] for r in relations],
    }


def _draw(split: str, seed: int, index: int) -> AnnotatedText:
    id = f"{split}-{index}"
    return _Sampler(split, random.Random(f"{seed}-{id}")).text(id)


@dataclass
class _Sampler:
    """Draws one text of a split from the grammar."""

    split: str
    rng: random.Random
    names: set[str] = field(default_factory=set)

    def text(self, id: str) -> AnnotatedText:
        """Draw texts until one is within the limits of the corpus."""
        while True:
            text, extraction = _read(*self.sentence())
            if (
                len(text.split()) in _WORDS
                and len(extraction.entities) in _ENTITIES
                and len(extraction.relations) in _RELATIONS
            ):
                return AnnotatedText(id, text, extraction)

    def sentence(self) -> tuple[str, list[str]]:
        """Bracketed text and the relations between its slots, such as `1a INHIBITS 1b`."""
        frames = HELD_OUT if self.split == "unseen" else SHARED
        markup, statements = self.clause("1", frames)
        if self.rng.random() < _TWO_CLAUSES:
            second, more = self.clause("2", frames)
            markup += self.rng.choice(JOINERS) + second
            statements += more
        return self.rng.choice(OPENERS) + markup + self.rng.choice(ADVERBIALS) + ".", statements

    def clause(self, number: str, frames: Frames) -> tuple[str, list[str]]:
        """A filled frame; `number` keeps its slots apart from those of other clauses."""
        stated, frame = self.rng.choice([(stated, frame) for stated in frames for frame in frames[stated]])
        plural = False

        def fill(match: re.Match[str]) -> str:
            nonlocal plural
            if match["singular"]:
                return match["plural"] if plural else match["singular"]
            count = self.rng.choice(_COORDINATED) if match["many"] else 1
            plural = count > 1
            *phrases, last = (self.phrase(number + match["slot"], match["kind"]) for _ in range(count))
            return f"{', '.join(phrases)} and {last}" if phrases else last

        return _SLOT_OR_VERB.sub(fill, frame), re.sub(r"\b([a-z])\b", number + r"\1", stated).split(", ")

    def phrase(self, slot: str, kind: str) -> str:
        """A noun phrase whose outermost entity fills `slot`."""
        template = self.rng.choice(PHRASES[kind])
        filled = re.sub(r"\{(\w+)\}", lambda match: self.name(match[1]), template)
        return filled.replace("[", f"[{slot}:", 1)

    def name(self, kind: str) -> str:
        """A name that belongs to the split and is new in the sentence."""
        while True:
            shape = self.rng.choice(NAMES[kind])
            name = re.sub(r"<(\w+)>", lambda match: self.rng.choice(PIECES[match[1]]), shape)
            if _owner(name) == self.split and name not in self.names:
                self.names.add(name)
                return name


def _owner(name: str) -> str:
    """The split that a name belongs to."""
    return list(SIZES)[zlib.crc32(name.encode()) % len(SIZES)]


def _read(markup: str, statements: list[str]) -> tuple[str, Extraction]:
    """Turn brackets into character offsets, and statements about slots into relations of their fillers."""
    text = ""
    entities: list[Entity] = []
    fillers: dict[str, list[Entity]] = defaultdict(list)
    unclosed: list[tuple[int, str, str]] = []
    for piece in _BRACKET.split(markup):
        if piece == "]":
            start, slot, label = unclosed.pop()
            entities.append(Entity(start, len(text), label))
            fillers[slot].append(entities[-1])
        elif piece.startswith("["):
            slot, _, label = piece[1:-1].rpartition(":")
            unclosed.append((len(text), slot, label))
        else:
            text += piece
    relations = []
    for head_slot, label, tail_slot in (statement.split() for statement in statements if statement):
        for head in fillers[head_slot]:
            for tail in fillers[tail_slot]:
                relations.append(Relation(head, tail, label).oriented(SYMMETRIC))
    return text[0].upper() + text[1:], Extraction(tuple(sorted(entities)), tuple(sorted(relations)))
