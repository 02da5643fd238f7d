"""Prediction on many texts in which a text that fails does so alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, islice
from multiprocessing import cpu_count
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc
from spacy.util import ignore_error, load_model, raise_error

from spacy_bispn.settings import SettingError, Shown

SEGMENT = 20  # batches of each process after which spaCy forgets the words it has seen


@dataclass(frozen=True)
class Source:
    """One text: its position among all, counted from 0, its id, and why it cannot be read, if so."""

    position: int
    id: str
    text: str
    error: str = ""


def load_pipeline(model: str) -> Language:
    """A trained pipeline, by path or name. Raises SettingError for one without the component."""
    nlp = load_model(model)
    if "bispn" not in nlp.pipe_factories.values():
        shown = Shown(f"a pipeline of {', '.join(nlp.pipe_names) or 'no components'}")
        advice = "name a pipeline that was trained with it"
        raise SettingError(model, shown, "one with a component of the factory 'bispn'", advice)
    return nlp


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
