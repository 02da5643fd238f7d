"""What `spacy bispn convert` read, wrote and lost: texts, entities and relations, each with the reasons."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

from wasabi import msg

from spacy_bispn.cli.docfiles import DocFiles
from spacy_bispn.converters import Report
from spacy_bispn.corpus import Lost
from spacy_bispn.records import Kind


@dataclass(frozen=True)
class Count:
    """How many were in the file, how many are in the output, and why the others are not: they add up."""

    read: int
    written: int
    lost: dict[str, int]


def count_all(report: Report, files: Sequence[DocFiles], left_out: Lost) -> dict[Kind, Count]:
    """The counts of a conversion to some files.

    left_out: what was read and not given to the files.
    """
    placed = sum((made.lost for made in files), Counter(left_out))
    held = sum((made.held for made in files), Counter(texts=sum(made.docs for made in files)))
    counts: dict[Kind, Count] = {}
    for kind in get_args(Kind):
        before = report.lost(kind)
        lost = Counter(before)
        lost.update({f"{kind} {why}": count for (what, why), count in placed.items() if what == kind})
        counts[kind] = Count(getattr(report, kind) + sum(before.values()), held[kind], dict(lost))
    return counts


def print_counts(counts: dict[Kind, Count]) -> None:
    """Print a table, and below it the reasons of what was lost."""
    rows = [(kind, one.read, one.written, one.read - one.written) for kind, one in counts.items()]
    msg.table(rows, header=("", "read", "written", "lost"), aligns=("l", "r", "r", "r"))
    for one in counts.values():
        if one.lost:
            reasons = sorted(one.lost.items(), key=lambda reason: (-reason[1], reason[0]))
            msg.text(f"    lost: {', '.join(f'{count} {why}' for why, count in reasons)}")
