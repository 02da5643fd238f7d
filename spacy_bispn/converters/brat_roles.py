"""Roles of brat's events without the numbers that brat gives them where they repeat."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from spacy_bispn.converters.parsed_item import Counts

CONFIG = "annotation.conf"  # in which brat declares labels and roles, of its folder and those in it
DECLARED = re.compile(r"([^\s,:|<>{}?*+]+)(?:[?*+]|\{[^}]*\})?:")  # `Theme:`, `Site*:`, `Theme{2}:`
NUMBERED = re.compile(r"(.+?)([0-9]+)")


@dataclass(frozen=True)
class Roles:
    """The roles of a corpus.

    used: those of all events, as they stand. declared: those of annotation.conf; none without one.
    """

    used: Collection[str]
    declared: Collection[str] = ()

    @classmethod
    def find(cls, folder: Path, files: Iterable[Path]) -> Self:
        """The roles of files; of annotation.conf, the one in their folder or else the one above it."""
        places = [place / CONFIG for place in (folder, folder.parent)]
        config = next((place for place in places if place.is_file()), None)
        return cls(_used(files), _declared(config) if config else set())

    def name(self, counts: Counts, role: str) -> str:
        """A role without the number that brat gave it; what is changed, or could be, is noted.

        brat begins with 2: `Theme`, `Theme2`, `Theme3`. What annotation.conf declares is a role of its own,
        whatever it ends in. Without a declaration, so is `Theme1`, and so is `Arg2` where the corpus has
        `Arg1` and no `Arg`.
        """
        numbered = NUMBERED.fullmatch(role)
        if role in self.declared or numbered is None:
            return role
        bare, number = numbered[1], numbered[2]
        if bare not in self.declared:
            known = bare in self.used
            if number.startswith("0") or number == "1":
                counts.note(f"roles {role!r} kept beside {bare!r}, see --rename", known)
                return role
            if not known and f"{bare}1" in self.used:
                return role
            if not known:
                counts.note(f"roles {role!r} read as {bare!r}, which no event has")
                return bare
        counts.note(f"roles {role!r} read as {bare!r}")
        return bare


def _used(files: Iterable[Path]) -> set[str]:
    """The roles of all events in files; what is wrong with a file is found when it is read."""
    found: set[str] = set()
    for file in files:
        with suppress(OSError, UnicodeDecodeError):
            for line in file.read_text("utf-8").splitlines():
                if line.startswith("E"):
                    found.update(word.rpartition(":")[0] for word in line.split()[2:])
    return found


def _declared(config: Path) -> set[str]:
    """The roles in the section [events] of an annotation.conf."""
    section, found = "", set[str]()
    for line in config.read_text("utf-8", errors="replace").splitlines():
        line = line.partition("#")[0].strip()
        if header := re.fullmatch(r"\[(\w+)\]", line):
            section = header[1].lower()
        elif section == "events":
            found.update(DECLARED.findall(line))
    return found
