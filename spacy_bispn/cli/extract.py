"""`spacy bispn extract`: many texts in, entities and relations with their scores out."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import chain, islice
from multiprocessing import cpu_count
from pathlib import Path
from typing import Annotated, Any

import typer
from spacy.cli._util import setup_gpu
from spacy.language import Language
from spacy.tokens import Doc
from spacy.util import ignore_error, load_model, raise_error
from tqdm import tqdm
from wasabi import msg

from spacy_bispn import annotations
from spacy_bispn.cli.outputs import Failures, open_output, resume, unfinished
from spacy_bispn.cli.sources import GPU
from spacy_bispn.cli.texts import Source, count_texts, describe, stream_texts
from spacy_bispn.files import check_apart
from spacy_bispn.records import AnnotatedText
from spacy_bispn.settings import SettingError, Shown

SEGMENT = 20  # batches of each process after which spaCy forgets the words it has seen


def extract_command(
    model: Annotated[str, typer.Argument(help="Trained pipeline")],
    source: Annotated[
        Path,
        typer.Argument(help=".txt, one text a line; .jsonl; a folder of .txt, one text each", exists=True),
    ],
    output: Annotated[Path, typer.Argument(help="What to write: .jsonl, .csv or .parquet")],
    go_on: Annotated[bool, typer.Option("--resume", "-r", help="Continue what was stopped")] = False,
    force: Annotated[bool, typer.Option("--force", "-F", help="Overwrite the output")] = False,
    gpu_id: GPU = -1,
    batch_size: Annotated[
        int, typer.Option("--batch-size", "-b", help="Texts predicted on at once", min=1)
    ] = 64,
    n_process: Annotated[int, typer.Option("--n-process", "-n", help="Processes; -1 for all CPUs")] = 1,
) -> None:
    """Write what a pipeline finds in many texts; exits with 1 where texts failed."""
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
            advice = "forked processes cannot use it, raise --batch-size instead"
            raise SettingError("--n-process", Shown(f"{n_process} with a GPU"), "1", advice)
        setup_gpu(gpu_id)
        nlp = _load(model)
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


def annotate(
    nlp: Language, texts: Iterator[Source], batch_size: int, n_process: int
) -> Iterator[tuple[Source, Doc | str]]:
    """Each text with its Doc, or with what went wrong, in their order.

    A Doc is good until the next one is asked for. A text fails alone: where a component gives up a batch,
    its texts are tried one by one.
    """
    processes = cpu_count() if n_process < 1 else n_process
    while segment := list(islice(texts, batch_size * processes * SEGMENT)):
        with nlp.memory_zone():
            yield from _segment(nlp, segment, batch_size, processes)


def _segment(
    nlp: Language, segment: list[Source], batch_size: int, n_process: int
) -> Iterator[tuple[Source, Doc | str]]:
    failed = {number: text.error for number, text in enumerate(segment) if text.error}

    def docs() -> Iterator[tuple[Doc, int]]:
        for number, text in enumerate(segment):
            try:
                doc = nlp.make_doc(text.text)
            except Exception as error:  # a text longer than nlp.max_length, or what a tokenizer cannot read
                failed[number] = _describe(error)
                doc = nlp.make_doc("")  # batches keep their borders
            yield doc, number

    # What a component raises drops the batch from the stream, in whichever process; the gap is seen here.
    _set_error_handler(nlp, ignore_error)
    stream = nlp.pipe(docs(), as_tuples=True, batch_size=batch_size, n_process=n_process)
    done = 0
    for doc, number in chain(_until_error(stream), [(None, len(segment))]):
        for missing in range(done, number):
            yield segment[missing], failed.get(missing) or _alone(nlp, segment[missing])
        if doc is not None:
            yield segment[number], failed.get(number) or doc
        done = number + 1


def _set_error_handler(nlp: Language, handler: Callable[..., Any]) -> None:
    """`nlp.set_error_handler`, which itself fails in a pipeline with a component that takes none.

    spaCy's `ner` and `parser` are such: they raise.
    """
    nlp.default_error_handler = handler
    for _, pipe in nlp.pipeline:
        with suppress(AttributeError):
            pipe.set_error_handler(handler)


def _until_error(stream: Iterator[tuple[Doc, int]]) -> Iterator[tuple[Doc, int]]:
    """The stream as far as no component raises; the texts that are left are tried one by one."""
    with suppress(Exception):
        yield from stream


def _alone(nlp: Language, text: Source) -> Doc | str:
    _set_error_handler(nlp, raise_error)
    try:
        return nlp(text.text)
    except Exception as error:  # whatever it is, it is this text's, and is written down
        return _describe(error)
    finally:
        _set_error_handler(nlp, ignore_error)


def _describe(error: BaseException) -> str:
    error = error.__cause__ or error  # spaCy wraps a KeyError in advice about initializing
    return f"{type(error).__name__}: {error}"


def _load(model: str) -> Language:
    nlp = load_model(model)
    if "bispn" not in nlp.pipe_factories.values():
        shown = Shown(f"a pipeline of {', '.join(nlp.pipe_names) or 'no components'}")
        advice = "name a pipeline that was trained with it"
        raise SettingError(model, shown, "one with a component of the factory 'bispn'", advice)
    return nlp


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
