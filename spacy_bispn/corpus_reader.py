"""The reader for `spacy train`: keeps relations, cuts long Docs, mixes old texts with new ones."""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from spacy import util
from spacy.language import Language
from spacy.tokens import Doc, DocBin
from spacy.training import Example
from spacy.vocab import Vocab

from spacy_bispn.annotations import read, white_space
from spacy_bispn.context import passages, set_context
from spacy_bispn.doc_utils import CONTEXT, as_doc
from spacy_bispn.settings import SHARE, SettingError, Settings, Shown, Values, distribute, setting, takes


@dataclass(frozen=True)
class ReaderSettings(Settings):
    """The block of a corpus."""

    path: Path | None = setting(
        Values(words="a `.spacy` file, a folder of some", choices=(None,)),
        "Usually `${paths.train}` or `${paths.dev}`. A folder's files are read in order of name.",
    )
    max_length: int = setting(
        Values(least=0, whole=True),
        "Longer Docs are cut to so many tokens, at sentence ends if there are any; 0 cuts none. Leave it at "
        "0: the model cuts windows that overlap, which loses less.",
        default=0,
    )
    limit: int = setting(
        Values(least=0, whole=True),
        "Read at most so many Docs, parts of cut ones counted singly; 0 reads all. For a first try on a "
        "large corpus.",
        default=0,
    )
    given_spans: str | None = setting(
        Values(words="the name of a span group", choices=(None,)),
        "A span group of the Docs that the pipeline reads, into which the gold entities are put: for a "
        'component with `entities = "given"` and this group, in training and evaluation '
        "([Relations between given entities](pipelines.md#relations-between-given-entities)).",
        default=None,
    )
    replay: Path | None = setting(
        Values(words="a `.spacy` file, a folder of some", choices=(None,)),
        "Texts of an earlier training, some of which are mixed with those of `path`, so that a component "
        "that goes on learning does not forget them ([Going on](going_on.md)). Texts that are in both are "
        "not replayed.",
        default=None,
    )
    replay_share: float = setting(
        SHARE, "The share of `replay` in all texts, and so about its share of each batch.", default=0.5
    )


@takes(ReaderSettings)
def create_reader(path: Path | None, **settings: Any) -> Callable[[Language], Iterator[Example]]:
    """`spacy-bispn.Corpus.v1`: reads `.spacy` files and keeps relations; see `ReaderSettings`.

    Relations whose ends `max_length` cuts apart are counted and reported once, however often the corpus is
    read. White space at the ends of gold entities is trimmed; how many have some is reported, as are entities
    of white space alone, which are left out.

    Raises SettingError for an impossible setting, and ValueError when a path that is read does not
    exist or holds no `.spacy` file, for a file that is no DocBin, and where `replay` has nothing to add.
    """
    (reader,) = distribute({"path": path, **settings}, ReaderSettings)
    return CorpusReader(reader)


class CorpusReader:
    """What `create_reader` returns: called with a pipeline, it yields examples without predictions.

    Only given entities are on their predicted Docs, if there is a group for them.
    """

    def __init__(self, settings: ReaderSettings) -> None:
        self.settings = settings
        self._reported = False
        self._replayed = 0  # old Docs so far: each reading goes on with the next ones

    def __call__(self, nlp: Language) -> Iterator[Example]:
        """The corpus, with old texts among the new ones if there is a `replay`."""
        found: Counter[str] = Counter()
        new = self._parts(self.settings.path, nlp, found)
        parts: Iterator[Doc] = islice(new, self.settings.limit or None)
        if self.settings.replay is not None:
            parts = self._with_old(list(parts), nlp, found)
        for part in parts:
            example = Example(bare(nlp, part), part)
            if self.settings.given_spans is not None:
                give_entities(example, self.settings.given_spans)
            yield example
        if not self._reported:
            self._reported = True
            self._report(found)

    def _parts(self, path: Path | None, nlp: Language, found: Counter[str]) -> Iterator[Doc]:
        """The Docs at a path, cut to `max_length`, with what stands around them in their documents."""
        docs = (doc for file in find_files(path) for doc in load(file, nlp.vocab))
        for run in passages(docs):
            cuts = [list(cut(doc, self.settings.max_length)) for doc in run]
            set_context(nlp, [part for parts in cuts for part, _ in parts])
            for doc, parts in zip(run, cuts, strict=True):
                ends, all_of_it = white_space(doc)
                found["ragged"] += ends
                found["blank"] += all_of_it
                for part, lost in parts:
                    found["lost"] += lost
                    yield part

    def _with_old(self, new: list[Doc], nlp: Language, found: Counter[str]) -> Iterator[Doc]:
        """The new Docs with old ones evenly between them: batches have their share also in a stream."""
        if not new:
            expected, advice = "a corpus with texts", "without new texts there is nothing to go on with"
            raise SettingError("path", str(self.settings.path), expected, advice)
        texts = {doc.text for doc in new}
        every = list(self._parts(self.settings.replay, nlp, found))
        old = [doc for doc in every if doc.text not in texts]
        if not old:
            value = Shown(f"{self.settings.replay}, whose {len(every)} texts are all among the new ones")
            raise SettingError("replay", value, "the texts of an earlier training", "give their file")
        random.Random(0).shuffle(old)
        share = self.settings.replay_share
        wanted = len(new) * share / (1 - share)
        found.update(same=len(every) - len(old), wanted=round(wanted), old=min(round(wanted), len(old)))
        first, self._replayed = self._replayed, self._replayed + found["old"]
        for number, doc in enumerate(new):
            yield doc
            for index in range(number * found["old"] // len(new), (number + 1) * found["old"] // len(new)):
                yield old[(first + index) % len(old)]

    def _report(self, found: Counter[str]) -> None:
        if found["ragged"] or found["blank"]:
            util.logger.warning(
                "%d gold entities have white space at an end, which is cut off; %d are white space alone and "
                "are left out with their relations: correct them in the corpus, or convert it anew.",
                *(found["ragged"], found["blank"]),
            )
        if found["lost"]:
            util.logger.warning(
                "%d relations join parts that max_length = %d cuts apart and are left out: "
                "raise max_length, or set it to 0 and let the model cut windows that overlap.",
                *(found["lost"], self.settings.max_length),
            )
        if found["same"]:
            util.logger.warning(
                "%d texts of replay are among the new ones and are not replayed.", found["same"]
            )
        if found["old"] < found["wanted"]:
            util.logger.warning(
                "replay has %d texts, fewer than the %d that replay_share = %g asks for: all are replayed.",
                *(found["old"], found["wanted"], self.settings.replay_share),
            )


def load(file: Path, vocab: Vocab) -> Iterator[Doc]:
    """The Docs of a `.spacy` file. Raises ValueError if it is none, or cut off."""
    try:
        yield from DocBin().from_disk(file).get_docs(vocab)
    # what spaCy raises for bytes that are no DocBin, or only part of one
    except (ValueError, TypeError, KeyError, IndexError) as error:
        raise ValueError(
            f"{file}: found no DocBin, expected a .spacy file. Convert it with "
            f"`spacy bispn convert` first, or predict with `spacy apply`."
        ) from error


def find_files(path: Path | str | None) -> list[Path]:
    """The `.spacy` files at a path, in order of name."""
    place = Path(path) if path else None  # a config's path arrives as a string
    files = sorted(place.glob("**/*.spacy")) if place and place.is_dir() else [place] if place else []
    if not files or not all(file.exists() for file in files):
        raise ValueError(
            f"the corpus path is {str(path)!r}, expected a .spacy file or a folder with some: "
            f"pass --paths.train and --paths.dev, or convert the corpus with `spacy bispn convert`."
        )
    return files


def bare(nlp: Language, doc: Doc) -> Doc:
    """The same tokens without any annotation, with what stands around them."""
    words, spaces = [token.text for token in doc], [bool(token.whitespace_) for token in doc]
    around = {CONTEXT: doc.user_data[CONTEXT]} if CONTEXT in doc.user_data else {}
    return Doc(nlp.vocab, words=words, spaces=spaces, user_data=around)


def give_entities(example: Example, group: str) -> None:
    """Put the gold entities of an example into a span group of its predicted Doc."""
    doc, gold = example.predicted, read(example.reference).entities
    spans = (
        doc.char_span(x.start, x.end, x.label, x.kb_id, alignment_mode="expand", span_id=x.span_id)
        for x in gold
    )
    doc.spans[group] = [span for span in spans if span is not None]


def last_bispn(nlp: Language) -> Any:
    """The component whose entities and relations the Docs have in the end; None without one."""
    ours = [name for name in nlp.pipe_names if nlp.get_pipe_meta(name).factory == "bispn"]
    return nlp.get_pipe(ours[-1]) if ours else None


def unfilled_group(nlp: Language) -> str | None:
    """The span group from which the last `bispn` takes its entities, if no component before it finds any."""
    pipe = last_bispn(nlp)
    if pipe is None or pipe.given.entities != "given":
        return None
    before = nlp.pipe_names[: nlp.pipe_names.index(pipe.name)]
    found = {place for name in before for place in nlp.get_pipe_meta(name).assigns}
    return None if found & {"doc.ents", "doc.spans"} else str(pipe.given.group)


def predict_examples(nlp: Language, examples: list[Example], group: str | None = None) -> list[Example]:
    """Examples whose predicted Docs are bare, with the pipeline's predictions on them.

    group: a span group that is given the gold entities first; without one, that of a component for given
        entities, if nothing before it finds some.
    """
    group = group or unfilled_group(nlp)
    if group is not None:
        for example in examples:
            give_entities(example, group)
    docs = nlp.pipe(example.predicted for example in examples)
    for example, doc in zip(examples, docs, strict=True):
        example.predicted = doc
    return examples


def cut(doc: Doc, max_length: int) -> Iterator[tuple[Doc, int]]:
    """The Doc, or its parts of at most `max_length` tokens, and how many relations each cut lost.

    The number stands beside the last part and is 0 beside the others.
    """
    if not max_length or len(doc) <= max_length:
        yield doc, 0
        return
    kept = 0
    bounds = list(part_bounds(doc, max_length))
    for number, (start, end) in enumerate(bounds, start=1):
        part = as_doc(doc[start:end])
        kept += len(read(part).relations)
        yield part, len(read(doc).relations) - kept if number == len(bounds) else 0


def part_bounds(doc: Doc, max_length: int) -> Iterator[tuple[int, int]]:
    """Token ranges of at most `max_length`, ending at sentence ends where the Doc has sentences."""
    ends = {sentence.end for sentence in doc.sents} if doc.has_annotation("SENT_START") else set()
    start = 0
    while start < len(doc):
        furthest = min(start + max_length, len(doc))
        inside = [end for end in ends if start < end <= furthest]
        stop = max(inside) if inside and furthest < len(doc) else furthest
        yield start, stop
        start = stop
