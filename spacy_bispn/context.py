"""The text around a Doc: what stands before and behind it in its document, for components that read it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from spacy.language import Language
from spacy.tokens import Doc

from spacy_bispn.doc_utils import CONTEXT, text_id
from spacy_bispn.records import PassageId


def set_context(nlp: Language, docs: Iterable[Doc]) -> None:
    """Tell Docs what stands around them: they are the passages of one document, in order.

    On either side as many tokens are kept as the components `bispn` of the pipeline may read wordpieces
    there; nothing changes where none of them has a `context`.
    """
    docs, size = list(docs), context_size(nlp)
    if not size:
        return
    for index, doc in enumerate(docs):
        before = (docs[other] for other in range(index - 1, -1, -1))
        behind = (docs[other] for other in range(index + 1, len(docs)))
        given = get_context(doc)
        doc.user_data[CONTEXT] = (
            " ".join(reversed(list(_texts(before, size, last=True)))) or given[0],
            " ".join(_texts(behind, size, last=False)) or given[1],
        )


def get_context(doc: Doc) -> tuple[str, str]:
    """The text before and the text behind a Doc; empty where nothing is known."""
    before, behind = doc.user_data.get(CONTEXT, ("", ""))
    return before, behind


def context_size(nlp: Language) -> int:
    """The largest `context` of the components `bispn` in a pipeline, 0 without one."""
    names = [name for name in nlp.pipe_names if nlp.get_pipe_meta(name).factory == "bispn"]
    return max((nlp.get_pipe(name).shim.windowing.context for name in names), default=0)


def passages(docs: Iterable[Doc]) -> Iterator[list[Doc]]:
    """Docs that follow each other in one document, as their ids say: "a:3" stands behind "a:2"."""
    run: list[Doc] = []
    for doc in docs:
        if run and not _follows(text_id(run[-1]), text_id(doc)):
            yield run
            run = []
        run.append(doc)
    if run:
        yield run


def set_context_by_id(nlp: Language, docs: Sequence[Doc]) -> None:
    """`set_context` for the Docs of a corpus, of which some are passages of one document."""
    for run in passages(docs):
        set_context(nlp, run)


def _follows(one: str | None, other: str | None) -> bool:
    before = PassageId.of(one or "")
    return before is not None and other == str(before._replace(number=before.number + 1))


def _texts(docs: Iterable[Doc], tokens: int, last: bool) -> Iterator[str]:
    """The texts of Docs until there are enough tokens, the `last` or first of each that are still needed."""
    for doc in docs:
        part = doc[-tokens:] if last else doc[:tokens]
        yield part.text
        tokens -= len(part)
        if tokens <= 0:
            return
