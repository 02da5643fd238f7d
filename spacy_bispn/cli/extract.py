"""`spacy bispn extract`: many texts in, entities and relations with their scores out."""

from pathlib import Path
from typing import Annotated

import typer
from spacy.cli._util import setup_gpu
from tqdm import tqdm
from wasabi import msg

from spacy_bispn import annotations
from spacy_bispn.batch_inference.annotate import annotate, load_pipeline
from spacy_bispn.batch_inference.predictor import BatchPredictor
from spacy_bispn.cli.engines import Engine, extract_parts
from spacy_bispn.cli.outputs import Failures, open_output, resume, unfinished
from spacy_bispn.cli.sources import GPU
from spacy_bispn.cli.texts import count_texts, describe, stream_texts
from spacy_bispn.files import check_apart
from spacy_bispn.records import AnnotatedText
from spacy_bispn.settings import SettingError, Shown


def extract_command(
    model: Annotated[str, typer.Argument(help="Trained pipeline")],
    source: Annotated[
        str, typer.Argument(help=".txt, one text a line; .jsonl; a glob; a folder of .txt, one text each")
    ],
    output: Annotated[
        str, typer.Argument(help="What to write: .jsonl, .csv or .parquet; a folder with --engine")
    ],
    go_on: Annotated[bool, typer.Option("--resume", "-r", help="Continue what was stopped")] = False,
    force: Annotated[bool, typer.Option("--force", "-F", help="Overwrite the output")] = False,
    gpu_id: GPU = -1,
    batch_size: Annotated[
        int, typer.Option("--batch-size", "-b", help="Texts predicted on at once", min=1)
    ] = 64,
    n_process: Annotated[int, typer.Option("--n-process", "-n", help="Processes; -1 for all CPUs")] = 1,
    engine: Annotated[
        Engine | None, typer.Option("--engine", "-e", help="What runs workers, on one machine or many")
    ] = None,
) -> None:
    """Write what a pipeline finds in many texts; exits with 1 where texts failed."""
    if engine is None:
        extract_here(model, Path(source), Path(output), go_on, force, gpu_id, batch_size, n_process)
        return
    try:
        # a worker of Ray sees its own GPU alone
        predictor = BatchPredictor(model, batch_size=batch_size, gpu_id=min(gpu_id, 0))
        extract_parts(engine, predictor, source, output, n_process, go_on, force)
    except ValueError as error:
        msg.fail("The texts cannot be read or written", str(error), exits=1)


def extract_here(
    model: str,
    source: Path,
    output: Path,
    go_on: bool,
    force: bool,
    gpu_id: int,
    batch_size: int,
    n_process: int,
) -> None:
    """Predict in this process, or in forks of it, and write one file."""
    failures, growing = Failures(output), unfinished(output)
    resuming = go_on and growing.exists()
    try:
        check_apart({"SOURCE": source, "OUTPUT": output})
        next(stream_texts(source), None)  # a wrong suffix is said before the model is loaded
        opened = open_output(output, append=go_on)
        there = [path for path in (growing, output) if path.exists()]
        if there and go_on and not (resuming or force):
            msg.good(f"{output} is whole")
            return
        if there and not (resuming or force):
            advice = "continue it with --resume, begin anew with --force, or name another"
            raise SettingError("OUTPUT", Shown(f"{there[0]}, which exists"), "a new file", advice)
        begin = _begin(source, growing, failures) if resuming else 0
        if gpu_id >= 0 and n_process != 1:
            advice = (
                "forked processes cannot use it, raise --batch-size; for a process on each of two GPUs, "
                "--engine ray --n-process 2"
            )
            raise SettingError("--n-process", Shown(f"{n_process} with a GPU"), "1", advice)
        setup_gpu(gpu_id)
        nlp = load_pipeline(model)
    except ValueError as error:
        msg.fail("The texts cannot be read or written", str(error), exits=1)
    if not resuming:
        failures.keep(before=0)
    output.parent.mkdir(parents=True, exist_ok=True)
    total = count_texts(source)
    msg.info(describe(source, total))
    # The batch that was cut is predicted again, so that batches fall as if nothing had stopped.
    texts = stream_texts(source, begin - begin % batch_size)
    with opened as write, tqdm(total=total, initial=begin, unit=" texts", disable=None) as bar:
        for text, found in annotate(nlp, texts, batch_size, n_process):
            if text.position < begin:
                continue
            if isinstance(found, str):
                failures.add(text, found)
            else:
                write(text.position, AnnotatedText(text.id, found.text, annotations.read(found).closed()))
            bar.update()
    msg.good(f"{total - len(failures.positions)} texts in {output}")
    if failures.positions:
        failed = f"{len(failures.positions)} of {total} texts failed: their ids and errors are in"
        msg.fail(f"{failed} {failures.path}", exits=1)


def _begin(source: Path, output: Path, failures: Failures) -> int:
    """The position to go on with. Raises ValueError where the output is of another input."""
    position, last = resume(output, failures)
    there = next(stream_texts(source, last.position), None) if last else None
    if last and (there is None or there.id != last.id or last.text not in ("", there.text)):
        found = f"the text {there.id!r} that begins {there.text[:40]!r}" if there else "nothing"
        raise ValueError(
            f"{source}: found {found} at position {last.position}, expected {last.id!r} {last.text[:40]!r}, "
            f"the last text in {output}: resume with the same input, or begin anew with --force."
        )
    return position
