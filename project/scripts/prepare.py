"""Convert a corpus to FOLDER/*.spacy: train, dev (held out of train unless published) and test files."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from options import Corpora, Fold
from published import CORPORA, TOKENS, UNSPLIT, Part, parts, unsplit

from spacy_bispn.cli.sources import held_out
from spacy_bispn.settings import SettingError

HELD_OUT, RELEASED = "held-out", "released"
TEST_SHARE = 0.2  # of a corpus without a test file


def prepare(corpus: str, corpora: Path, data: Path, fold: int = 0, protocol: str = HELD_OUT) -> None:
    """Convert one corpus to the folder `data`.

    protocol: "held-out" chooses models on a part of the training data. "released", the protocol of the
        code released with the paper, chooses them on the test file: its scores are for comparison only.

    Raises SettingError for an unknown corpus or protocol.
    """
    if protocol not in (HELD_OUT, RELEASED):
        raise SettingError(
            "--protocol", protocol, f"{HELD_OUT!r} or {RELEASED!r}",
            f"choose {HELD_OUT!r}, unless scores are to be compared with those of the released code",
        )  # fmt: skip
    found = parts(corpus, corpora, data, fold)
    make_sources(corpus, corpora, data)
    if protocol == RELEASED:
        found["dev"] = found["test"]
    tokens = TOKENS.get(corpus, ())
    for name, part in found.items():
        held = ("--dev", str(data / "dev.spacy")) if name == "train" and "dev" not in found else ()
        convert(part, data / f"{name}.spacy", *tokens, *held)


def make_sources(corpus: str, corpora: Path, data: Path) -> None:
    """Make what is not published: the demo corpus, and test files of corpora without one."""
    if corpus == "demo":
        made = str(data / "source")
        subprocess.run([sys.executable, "-m", "spacy", "bispn", "demo", made], check=True)
    elif corpus in UNSPLIT:
        whole, files = corpora / corpus / UNSPLIT[corpus], unsplit(corpus, corpora, data)
        if whole not in files:
            split(whole, files)


def split(whole: Path, files: Sequence[Path]) -> None:
    """Split the lines of a file into a training and a test file."""
    with whole.open(encoding="utf8") as file:
        lines = list(file)
    held = held_out(len(lines), TEST_SHARE, seed=0)
    for path, wanted in zip(files, (False, True), strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        chosen = (line for number, line in enumerate(lines) if (number in held) == wanted)
        path.write_text("".join(chosen), "utf8")


def convert(part: Part, output: Path, *options: str) -> None:
    """Call `spacy bispn convert`; the report is written beside the output."""
    report = ["--report", str(output.with_suffix(".json"))]
    command = [sys.executable, "-m", "spacy", "bispn", "convert", str(part.file), str(output)]
    subprocess.run([*command, *part.reading, *options, *report], check=True)


def main(
    corpus: Annotated[str, typer.Argument(help=f"One of {', '.join(CORPORA)}")],
    corpora: Corpora,
    fold: Fold = 0,
) -> None:
    """Convert one corpus."""
    try:
        prepare(corpus, corpora, Path("corpus", corpus), fold)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


if __name__ == "__main__":
    typer.run(main)
