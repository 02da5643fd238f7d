"""What the formats share that keep their annotations apart from the text.

Offsets are followed as they stand, and what they mark is compared with what the annotation says it marks.
A relation between two concepts becomes relations between the mentions of the one and of the other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise, product
from os import SEEK_END
from pathlib import Path
from typing import Literal

from spacy_bispn.converters import Conversion, Place, show
from spacy_bispn.converters.conversion import DISCONTIGUOUS
from spacy_bispn.records import Entity, Relation

Pairs = Literal["all", "nearest"]
Discontiguous = Literal["drop", "cover"]
Claim = tuple[Place, str, str]  # where it stands, what is marked, what is said to be marked

NO_CONCEPT = ("", "-", "-1")
CUT_OFF = "files whose last line has no end, as if they were cut off"


def ends_with_line(path: Path) -> bool:
    """Whether the last line of a file that is not empty is whole; of a pipe, nobody can tell."""
    if not path.is_file():
        return True
    with path.open("rb") as file:
        file.seek(-1, SEEK_END)
        return file.read() == b"\n"


def read_number(place: Place, value: str) -> int:
    """An offset or a length."""
    if not re.fullmatch(r"[0-9]{1,12}", value.strip()):
        raise place.error(show(value), "a whole number", "Check the columns and the offsets.")
    return int(value)


def single_span(
    conversion: Conversion, text: str, fragments: Sequence[tuple[int, int]], discontiguous: Discontiguous
) -> tuple[int, int] | None:
    """One span in place of the fragments of a mention, or None if the mention is to be dropped.

    Fragments with nothing but white space between them, such as a mention cut at a line end, are one
    span. Others are counted, and dropped or covered from the first start to the last end.
    """
    ordered = sorted(fragments)
    if any(text[end:start].strip() for (_, end), (start, _) in pairwise(ordered)):
        if discontiguous == "drop":
            conversion.drop({DISCONTIGUOUS[0]: 1})
            return None
        conversion.note({DISCONTIGUOUS[1]: 1})
    return ordered[0][0], max(end for _, end in ordered)


def marked_text(text: str, fragments: Sequence[tuple[int, int]]) -> str:
    """What a mention marks; the fragments of a discontiguous one in their order, joined by a space."""
    return " ".join(text[start:end] for start, end in fragments)


def check_claims(
    conversion: Conversion, text_id: str, claims: Sequence[Claim], spaces: bool = True
) -> None:
    """Compare what annotations mark with what they say they mark: (place, marked, claimed).

    White space may differ in kind and number, without `spaces` also in its place. Claims that differ are
    problems; if several and more than half of a text's claims do, its offsets were made for another text:
    ConversionError.
    """
    between = " " if spaces else ""
    wrong = [claim for claim in claims if _plain(claim[1], between) != _plain(claim[2], between)]
    if len(wrong) > 1 and 2 * len(wrong) > len(claims):
        place, marked, claimed = wrong[0]
        raise place.error(
            f"{len(wrong)} of the {len(claims)} mentions in {text_id!r} elsewhere than their offsets say "
            f"(here {show(marked)} instead of {show(claimed)})",
            "offsets in characters of the text as it stands",
            "Check that text and annotations belong together, and that no line ends, byte order mark or "
            "encoding were changed after the annotation.",
        )
    for place, marked, claimed in wrong:
        said = f"the mention {show(claimed)} marks {show(marked)}"
        conversion.problem(text_id, f"{place.item}: {said}")


def concept_names(label: str, ids: str) -> set[str]:
    """The names by which a relation may refer to the concepts of a mention with this column of ids.

    The whole column is a name, since some ids contain separators; so is every part between `|`, `;`
    or `,`, alone or as `label|part`. A missing id gives no names.
    """
    parts = {part.strip() for part in re.split(r"[|;,]", ids)} - {*NO_CONCEPT}
    return parts and parts | {ids.strip()} | {f"{label}|{part}" for part in parts}


def relate_concepts(
    conversion: Conversion,
    place: Place,
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
        conversion.drop({"relations between concepts without a pair of mentions": 1})
        conversion.problem(text_id, f"{place.item}: a {label!r} relation was dropped, {why}")
        return []
    if pairs == "nearest":
        couples = [min(couples, key=_distance)]
    conversion.note({"relations between concepts": 1, "pairs of mentions made of them": len(couples)})
    return [Relation(one, other, label) for one, other in couples]


def _distance(pair: tuple[Entity, Entity]) -> tuple[int, int, Entity, Entity]:
    one, other = pair
    gap = max(one.start - other.end, other.start - one.end, 0)
    return gap, min(one.start, other.start), one, other


def _plain(text: str, between: str) -> str:
    return re.sub(r"\s+", between, text)
