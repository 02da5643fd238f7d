"""One small item for each format, all of which say the same; and texts for round trips."""

import json
from itertools import accumulate

from hypothesis import strategies as st

from spacy_bispn.records import AnnotatedText, Entity, Extraction, Relation

TEXT = "ORC binds ATP"
WORDS = TEXT.split()
ORC, ATP = Entity(0, 3, "protein"), Entity(10, 13, "chemical")
SAID = Extraction((ORC, ATP), (Relation(ORC, ATP, "binds"),))


def _annotation(number, label, start, text):
    return (
        f'<annotation id="{number}"><infon key="type">{label}</infon>'
        f'<location offset="{start}" length="{len(text)}"/><text>{text}</text></annotation>'
    )


# Of brat, a folder, its own tests have examples.
ITEMS = {
    "bioc": {
        "id": "a",
        "inside": f"<passage><offset>0</offset><text>{TEXT}</text>"
        + _annotation(1, "protein", 0, "ORC")
        + _annotation(2, "chemical", 10, "ATP")
        + '<relation id="R"><infon key="type">binds</infon><node refid="1"/><node refid="2"/></relation>'
        + "</passage>",
    },
    "biorelex": {
        "id": "a",
        "text": TEXT,
        "entities": [
            {"label": "protein", "names": {"ORC": {"is_mentioned": True, "mentions": [[0, 3]]}}},
            {"label": "chemical", "names": {"ATP": {"is_mentioned": True, "mentions": [[10, 13]]}}},
        ],
        "interactions": [{"participants": [0, 1], "type": "bind", "label": 1}],
    },
    "doccano": {
        "id": 1,
        "text": TEXT,
        "entities": [
            {"id": 7, "label": "protein", "start_offset": 0, "end_offset": 3},
            {"id": 8, "label": "chemical", "start_offset": 10, "end_offset": 13},
        ],
        "relations": [{"id": 7, "from_id": 7, "to_id": 8, "type": "binds"}],
        "Comments": [],
    },
    "dygie": {
        "doc_key": "a",
        "sentences": [WORDS],
        "ner": [[[0, 0, "protein"], [2, 2, "chemical"]]],
        "relations": [[[0, 0, 2, 2, "binds"]]],
        "clusters": [],
    },
    "glirel": {
        "tokenized_text": WORDS,
        "ner": [[0, 0, "protein", "ORC"], [2, 2, "chemical", "ATP"]],
        "relations": [
            {
                "head": {"mention": "ORC", "position": [0, 0], "type": "protein"},
                "tail": {"mention": "ATP", "position": [2, 2], "type": "chemical"},
                "relation_id": "P1",
                "relation_text": "binds",
            }
        ],
    },
    "jsonl": {
        "id": "a",
        "text": TEXT,
        "entities": [[0, 3, "protein"], [10, 13, "chemical"]],
        "relations": [[0, 1, "binds"]],
    },
    "labelstudio": {
        "id": 1,
        "data": {"text": TEXT},
        "annotations": [
            {
                "was_cancelled": False,
                "result": [
                    {
                        "id": "x",
                        "type": "labels",
                        "value": {"start": 0, "end": 3, "text": "ORC", "labels": ["protein"]},
                    },
                    {
                        "id": "y",
                        "type": "labels",
                        "value": {"start": 10, "end": 13, "text": "ATP", "labels": ["chemical"]},
                    },
                    {
                        "type": "relation",
                        "from_id": "x",
                        "to_id": "y",
                        "direction": "right",
                        "labels": ["binds"],
                    },
                ],
            }
        ],
        "predictions": [],
    },
    "prodigy": {
        "text": TEXT,
        "answer": "accept",
        "tokens": [
            {"text": "ORC", "start": 0, "end": 3, "id": 0, "ws": True},
            {"text": "binds", "start": 4, "end": 9, "id": 1, "ws": True},
            {"text": "ATP", "start": 10, "end": 13, "id": 2, "ws": False},
        ],
        "spans": [
            {"start": 0, "end": 3, "token_start": 0, "token_end": 0, "label": "protein"},
            {"start": 10, "end": 13, "token_start": 2, "token_end": 2, "label": "chemical"},
        ],
        "relations": [
            {
                "head": 0,
                "child": 2,
                "label": "binds",
                "head_span": {"start": 0, "end": 3, "token_start": 0, "token_end": 0, "label": "protein"},
                "child_span": {"start": 10, "end": 13, "token_start": 2, "token_end": 2, "label": "chemical"},
            }
        ],
    },
    "pubtator": {
        "id": "a",
        "lines": [
            "|t|ORC binds",
            "|a|ATP",
            "\t0\t3\tORC\tprotein\tP1",
            "\t10\t13\tATP\tchemical\tC1",
            "\tbinds\tP1\tC1",
        ],
    },
    "spert": {
        "tokens": WORDS,
        "entities": [{"type": "protein", "start": 0, "end": 1}, {"type": "chemical", "start": 2, "end": 3}],
        "relations": [{"type": "binds", "head": 0, "tail": 1}],
    },
    "text2dt": {
        "text": TEXT,
        "relations": [([0, 3, "ORC"], "binds", [10, 13, "ATP"])],
        "entities": [(0, 3, "ORC", "protein"), (10, 13, "ATP", "chemical")],
    },
}
LISTS = ("biorelex", "labelstudio", "spert")  # one JSON list
LINES = ("doccano", "dygie", "glirel", "jsonl", "prodigy", "text2dt")  # an item a line


def encode(form, items):
    """Items as the content of a file."""
    if form in LISTS:
        return json.dumps(items, ensure_ascii=False)
    if form == "bioc":
        inside = "".join(_document(item) for item in items)
        return f'<?xml version="1.0" encoding="UTF-8"?>\n<collection>{inside}</collection>\n'
    if form == "pubtator":
        rows = ((item.get("id", "x"), item.get("lines", ["|t|alone"])) for item in items)
        return "".join(f"{name}{line}\n" for name, lines in rows for line in lines)
    if form == "text2dt":
        return "".join(f"{item!r}\n" for item in items)
    return "".join(json.dumps(item, ensure_ascii=False) + "\n" for item in items)


def _document(item):
    name = f"<id>{item['id']}</id>" if "id" in item else ""
    return f"<document>{name}{item.get('inside', '')}</document>"


@st.composite
def extractions(draw, spans, labels):
    """Entities at some of the spans, and relations between them."""
    entity = st.builds(lambda span, label: Entity(*span, label), spans, labels)
    entities = draw(st.lists(entity, unique=True, max_size=5))
    relation = st.builds(Relation, st.sampled_from(entities), st.sampled_from(entities), labels)
    relations = draw(st.lists(relation, unique=True, max_size=5)) if entities else []
    return Extraction(tuple(entities), tuple(relations))


def spans(length):
    """Start and end of a stretch of so many units."""
    return st.integers(0, length - 1).flatmap(
        lambda start: st.tuples(st.just(start), st.integers(start + 1, length))
    )


@st.composite
def unworded_texts(draw, labels):
    """Any text without words, entities anywhere."""
    text = draw(st.text(min_size=1))
    return AnnotatedText(draw(st.text()), text, draw(extractions(spans(len(text)), labels)))


@st.composite
def annotated_texts(draw, joined=False):
    """A text of words, some with a space after them, or all but the last if `joined`; entities are words."""
    words = draw(st.lists(st.text(min_size=1), min_size=1, max_size=6))
    if not joined:
        # Only where no word begins with a space can every choice of spaces be told from the text.
        words = [word.replace(" ", "_") for word in words]
    spaces = [joined or draw(st.booleans()) for _ in words]
    spaces[-1] = not joined and spaces[-1]
    starts = [0, *accumulate(len(word) + space for word, space in zip(words, spaces, strict=True))]
    text = "".join(word + " " * space for word, space in zip(words, spaces, strict=True))
    places = spans(len(words)).map(
        lambda span: (starts[span[0]], starts[span[1] - 1] + len(words[span[1] - 1]))
    )
    extraction = draw(extractions(places, st.text().filter(str.strip)))
    return AnnotatedText(draw(st.text()), text, extraction, tuple(words))
