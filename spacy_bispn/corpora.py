"""Records to DocBin, and the reader for `spacy train` that keeps relations."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path

from spacy import util
from spacy.language import Language
from spacy.tokens import Doc, DocBin
from spacy.training import Example
from spacy.vocab import Vocab

from .annotations import KEY, get_relations, has_entities, has_relations, read, write
from .bounds import within
from .records import AnnotatedText, Entity, Extraction, Relation, spaces_after
from .sentences import sentence_starts

# All that `to_doc` fills of tokens: eight further columns of zeros would be most of a large file's memory.
FILLED = ("ORTH", "ENT_IOB", "ENT_TYPE")
POSITIONS = 512  # of the usual encoder: what is more tokens apart is in no window of it


def unlabelled(nlp: Language, text: AnnotatedText) -> Doc:
    """A Doc without annotation; the corpus's own tokens where it prescribes them."""
    if text.words is None:
        return nlp.make_doc(text.text)
    return Doc(nlp.vocab, words=list(text.words), spaces=spaces_after(text.text, text.words))


def starts_in(nlp: Language, text: AnnotatedText) -> list[int]:
    """The characters at which sentences begin; none where the tokens do not give the text."""
    doc = unlabelled(nlp, text)
    return sentence_starts(doc) if doc.text == text.text else []


def to_text(doc: Doc, text_id: str) -> AnnotatedText:
    """What a Doc says, with its tokens as words: the inverse of `to_doc`."""
    return AnnotatedText(text_id, doc.text, read(doc), tuple(token.text for token in doc))


def to_doc(nlp: Language, text: AnnotatedText) -> tuple[Doc, list[str]]:
    """A Doc with gold, and one line for each entity and relation that its tokens cannot hold.

    Gold spans are never widened: an entity that ends inside a token is left out with its relations. If the
    tokens do not give the text, the Doc has no annotation.
    """
    doc = unlabelled(nlp, text)
    if doc.text.rstrip() != text.text.rstrip():
        gold = text.extraction
        lost = f"{len(gold.entities)} entities and {len(gold.relations)} relations are left out"
        return doc, [f"the tokens give another text, {lost}: {doc.text[:60]!r}"]
    fits: list[Entity] = []
    problems: list[str] = []
    for entity in text.extraction.entities:
        if not 0 <= entity.start < entity.end <= len(text.text):
            problems.append(
                f"entity ({entity.label}) from {entity.start} to {entity.end} is no stretch of the text"
            )
        elif doc.char_span(entity.start, entity.end) is None:
            problems.append(
                f"entity {text.text[entity.start : entity.end]!r} ({entity.label}) at {entity.start} "
                f"ends inside a token"
            )
        else:
            fits.append(entity)
    there = set(fits)
    relations: list[Relation[Entity]] = []
    for relation in text.extraction.relations:
        if relation.head in there and relation.tail in there:
            relations.append(relation)
        else:
            problems.append(f"relation {relation.label} at {relation.head.start} lost an argument")
    write(doc, Extraction(tuple(fits), tuple(relations)))
    return doc, problems


def to_docbin(
    nlp: Language, texts: Iterable[AnnotatedText], held: Counter[str] | None = None
) -> tuple[DocBin, list[str]]:
    """All texts as a DocBin, and what could not be placed, each line with its text's id.

    A text that its tokens do not give is left out. `held` counts the entities and relations in the DocBin,
    and as "cross_window" the relations whose ends lie more than `POSITIONS` tokens apart.
    """
    docbin = DocBin(attrs=FILLED)
    problems: list[str] = []
    for text in texts:
        doc, lost = to_doc(nlp, text)
        if has_entities(doc):
            docbin.add(doc)
            if held is not None:
                held += _count(doc)
        problems += [f"{text.id}: {line}" for line in lost]
    return docbin, problems


def _count(doc: Doc) -> Counter[str]:
    relations = get_relations(doc)
    wide = sum(
        max(one.head.end, one.tail.end) - min(one.head.start, one.tail.start) > POSITIONS
        for one in relations
    )
    return Counter(entities=len(doc.spans[KEY]), relations=len(relations), cross_window=wide)


def create_reader(
    path: Path | None, max_length: int = 0, limit: int = 0
) -> Callable[[Language], Iterator[Example]]:
    """`spacy-bispn.Corpus.v1`: reads `.spacy` files and keeps relations.

    path: a file, or a folder whose `.spacy` files are read in order of name.
    max_length: longer Docs are cut, at sentence ends where there are any; 0 never cuts. Relations
        whose ends come apart are counted and reported, once however often the corpus is read.
    limit: at most so many Docs, parts counted singly; 0 reads all.

    Raises ValueError for a negative length or limit, when the path that is read does not exist or holds no
    `.spacy` file, and for a file that is no DocBin.
    """
    for name, value in (("max_length", max_length), ("limit", limit)):
        if not within(value, 0):
            raise ValueError(f"{name} is {value!r}, expected at least 0: 0 is no limit, correct the config.")
    warned = False

    def examples(nlp: Language) -> Iterator[Example]:
        nonlocal warned
        lost = 0
        docs = (doc for file in find_files(path) for doc in load(file, nlp.vocab))
        parts = (part for doc in docs for part in cut(doc, max_length))
        for part, missing in islice(parts, limit or None):
            lost += missing
            yield Example(bare(nlp, part), part)
        if lost and not warned:
            warned = True
            util.logger.warning(
                "%d relations join parts that max_length = %d cuts apart and are left out: "
                "raise max_length, or set it to 0 and let the model cut windows that overlap.",
                *(lost, max_length),
            )

    return examples


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
    """The same tokens without any annotation."""
    return Doc(nlp.vocab, words=[t.text for t in doc], spaces=[bool(t.whitespace_) for t in doc])


def cut(doc: Doc, max_length: int) -> Iterator[tuple[Doc, int]]:
    """The Doc, or its parts of at most `max_length` tokens, and how many relations each cut lost.

    The number stands beside the last part and is 0 beside the others.
    """
    if not max_length or len(doc) <= max_length:
        yield doc, 0
        return
    extraction = read(doc)
    kept = 0
    bounds = list(part_bounds(doc, max_length))
    for number, (start, end) in enumerate(bounds, start=1):
        part = doc[start:end].as_doc()
        first, last = doc[start].idx, doc[end - 1].idx + len(doc[end - 1])
        moved = {
            entity: Entity(entity.start - first, entity.end - first, entity.label, entity.score)
            for entity in extraction.entities
            if first <= entity.start and entity.end <= last
        }
        relations = tuple(
            Relation(moved[x.head], moved[x.tail], x.label, x.score)
            for x in extraction.relations
            if x.head in moved and x.tail in moved
        )
        kept += len(relations)
        # a part says no more than its Doc: "there are none" is not "nobody looked"
        if has_entities(doc):
            write(part, Extraction(tuple(moved.values()), relations))
            if not has_relations(doc):
                del part.spans[KEY].attrs["relations"]
        yield part, len(extraction.relations) - kept if number == len(bounds) else 0


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
