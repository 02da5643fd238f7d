"""What the formats share that keep their annotations apart from the text.

Offsets are followed as they stand, and what they mark is compared with what the annotation says it marks.
A relation between two concepts becomes relations between the mentions of the one and of the other.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping, Sequence
from itertools import pairwise, product
from os import SEEK_END
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from spacy_bispn.converters import FilePosition, ParsedItem, short_repr
from spacy_bispn.converters.conversion import DISCONTIGUOUS
from spacy_bispn.converters.offsets import gather
from spacy_bispn.converters.spelling import is_respelt, is_similar
from spacy_bispn.records import NO_ID, Entity, Relation

Pairs = Annotated[Literal["all", "nearest"], "mentions of related concepts"]
Discontiguous = Annotated[Literal["drop", "cover"], "mentions in several parts"]
Concept = TypeVar("Concept", bound=Hashable)
Claim = tuple[FilePosition, str, str]  # where it stands, what is marked, what is said to be marked

UNCHECKED = "mentions whose offsets nothing checks, as no text stands behind them"
EDGES = "mentions whose own text has white space at an edge, which is cut off"
RESPELT = "mentions whose own text is spelt otherwise than what they mark"
ELSEWHERE = "between other mentions of the same things, unless by --pairs nearest"
CUT_OFF = "files whose last line has no end, as if they were cut off"


def ends_with_line(path: Path) -> bool:
    """Whether the last line of a file that is not empty is whole; of a pipe, nobody can tell."""
    if not path.is_file():
        return True
    with path.open("rb") as file:
        file.seek(-1, SEEK_END)
        return file.read() == b"\n"


def read_number(position: FilePosition, value: str) -> int:
    """An offset or a length."""
    if not re.fullmatch(r"[0-9]{1,12}", value.strip()):
        raise position.error(short_repr(value), "a whole number", "Check the columns and the offsets.")
    return int(value)


def single_span(
    parsed: ParsedItem, text: str, fragments: Sequence[tuple[int, int]], discontiguous: Discontiguous
) -> tuple[int, int] | None:
    """One span in place of the fragments of a mention, or None if the mention is to be dropped.

    Fragments with nothing but white space between them, such as a mention cut at a line end, are one
    span. Others are counted, and dropped or covered from the first start to the last end.
    """
    ordered = sorted(fragments)
    if any(text[end:start].strip() for (_, end), (start, _) in pairwise(ordered)):
        if discontiguous == "drop":
            parsed.drop(DISCONTIGUOUS[0], of="entities")
            return None
        parsed.note(DISCONTIGUOUS[1])
    return ordered[0][0], max(end for _, end in ordered)


def marked_text(text: str, fragments: Sequence[tuple[int, int]]) -> str:
    """What a mention marks; the fragments of a discontiguous one in their order, joined by a space."""
    return gather(" ".join(text[start:end] for start, end in fragments))


def check_claims(
    parsed: ParsedItem, text_id: str, claims: Sequence[Claim], spaces: bool = True, all_of_them: bool = False
) -> None:
    """Compare what annotations mark with what they say they mark: (place, marked, claimed).

    White space may differ in kind and number, without `spaces` also in its place. Noted: claims with nothing
    in them, with white space at an edge that is not marked, and other spellings of what is marked, which are
    problems too where they only resemble it. Claims of other words are problems; if several and more than
    half of a text's claims are (`all_of_them`: if one is), its offsets were made for another text:
    ConversionError.
    """
    between = " " if spaces else ""
    wrong: list[Claim] = []
    for claim in claims:
        position, *words = claim
        marked, claimed = (_plain(word, between) for word in words)
        said = f"{position.item}: the mention {short_repr(claim[2])} marks {short_repr(claim[1])}"
        if not claimed.strip():
            parsed.note(UNCHECKED)
        elif marked.strip() == claimed.strip():
            parsed.note(EDGES, marked == marked.strip() != claimed)
        elif is_respelt(marked.strip(), claimed.strip()):
            parsed.note(RESPELT)
        elif is_similar(marked, claimed):
            parsed.note(RESPELT)
            parsed.problem(text_id, said)
        else:
            wrong.append(claim)
            parsed.problem(text_id, said)
    checked = sum(bool(claimed.strip()) for _, _, claimed in claims)
    if (len(wrong) > 1 and 2 * len(wrong) > checked) or (wrong and all_of_them):
        position, marked, claimed = wrong[0]
        raise position.error(
            f"{len(wrong)} of the {checked} mentions in {text_id!r} elsewhere than their offsets say "
            f"(here {short_repr(marked)} instead of {short_repr(claimed)})",
            "offsets in characters of the text as it stands",
            "Check that text and annotations belong together, and that no line ends, byte order mark or "
            "encoding were changed after the annotation. Pass --offsets utf-16 if its tool counts so.",
        )


def concept_names(label: str, ids: str) -> set[str]:
    """The names by which a relation may refer to the concepts of a mention with this column of ids.

    The whole column is a name, since some ids contain separators; so is every part between `|`, `;`
    or `,`, alone or as `label|part`. A missing id gives no names.
    """
    parts = {part.strip() for part in re.split(r"[|;,]", ids)} - {*NO_ID}
    return parts and parts | {ids.strip()} | {f"{label}|{part}" for part in parts}


def relate_concepts(
    parsed: ParsedItem,
    position: FilePosition,
    text_id: str,
    relation: tuple[str, str, str],
    mentions: Mapping[str, Sequence[Entity]],
    pairs: Pairs,
) -> list[Relation[Entity]]:
    """The relations between mentions that stand for one between concepts: (head, tail, label).

    All pairs of a mention of the head and one of the tail, or the pair with the least text between them
    (the earliest of several). A mention is not related to itself. No pair at all is a problem.
    """
    head, tail, label = relation
    couples = [
        (one, other)
        for one, other in product(*(dict.fromkeys(mentions.get(name, ())) for name in (head, tail)))
        if one != other
    ]
    if not couples:
        absent = [name for name in (head, tail) if not mentions.get(name)]
        why = f"no mention of {' and '.join(map(repr, absent))}" if absent else "one mention for both ends"
        parsed.drop("relations between concepts without a pair of mentions", of="relations")
        parsed.problem(text_id, f"{position.item}: a {label!r} relation was dropped, {why}")
        return []
    if pairs == "nearest":
        couples = [min(couples, key=_distance)]
    parsed.note("relations between concepts")
    parsed.note("pairs of mentions made of them", len(couples))
    return [Relation(one, other, label) for one, other in couples]


def link_concepts(
    relations: Sequence[Relation[Entity]], mentions: Mapping[Concept, Sequence[Entity]], lost: Counter[str]
) -> list[tuple[Concept, Concept, str]]:
    """The relations between concepts, (head, tail, label), that stand for relations between mentions.

    mentions: those of each concept. Where a mention has several, the concepts are taken that say nothing but
        these relations, or else those listed first.

    Counted: what `relate_concepts` would say besides of all mentions, and relations from a mention to itself.
    """
    concepts: dict[Entity, list[Concept]] = defaultdict(list)
    for concept, found in mentions.items():
        for mention in found:
            concepts[mention].append(concept)
    known, covered = set(relations), set[Relation[Entity]]()
    links: dict[tuple[Concept, Concept, str], None] = {}
    for relation in relations:
        if relation.head == relation.tail:
            lost[f"{relation.label!r} relations from an entity to itself"] += 1
        elif relation not in covered:
            said = {
                (head, tail, relation.label): {
                    Relation(one, other, relation.label)
                    for one, other in product(mentions[head], mentions[tail])
                    if one != other
                }
                for head, tail in product(concepts[relation.head], concepts[relation.tail])
            }
            exact = [link for link, meant in said.items() if meant <= known]
            link = max(exact, key=lambda link: len(said[link])) if exact else next(iter(said))
            links[link] = None
            covered |= said[link]
    for extra in covered - known:
        is_turned = Relation(extra.tail, extra.head, extra.label) in known
        where = "in the other direction, unless --symmetric names them" if is_turned else ELSEWHERE
        lost[f"{extra.label!r} relations that reading adds {where}"] += 1
    return list(links)


def _distance(pair: tuple[Entity, Entity]) -> tuple[int, int, Entity, Entity]:
    one, other = pair
    gap = max(one.start - other.end, other.start - one.end, 0)
    return gap, min(one.start, other.start), one, other


def _plain(text: str, between: str) -> str:
    return re.sub(r"\s+", between, text)
