"""One small item for each format, all of which say the same; and texts for round trips."""

import json
import re
from itertools import accumulate
from pathlib import Path

from hypothesis import strategies as st

from spacy_bispn.records import AnnotatedText, Entity, Extraction, Relation, trimmed

TEXT = "ORC binds ATP"
WORDS = TEXT.split()
ORC, ATP = Entity(0, 3, "protein"), Entity(10, 13, "chemical")
SAID = Extraction((ORC, ATP), (Relation(ORC, ATP, "binds"),))


def _annotation(number, label, start, text):
    return (
        f'<annotation id="{number}"><infon key="type">{label}</infon>'
        f'<location offset="{start}" length="{len(text)}"/><text>{text}</text></annotation>'
    )


def _mention(number, label, start, text):
    location = {"offset": start, "length": len(text)}
    return {"id": number, "infons": {"type": label}, "text": text, "locations": [location]}


# Of brat and chemprot, which are folders, their own tests have examples.
ITEMS = {
    "bioc-json": {
        "id": "a",
        "passages": [
            {
                "offset": 0,
                "text": TEXT,
                "annotations": [_mention("1", "protein", 0, "ORC"), _mention("2", "chemical", 10, "ATP")],
                "relations": [
                    {
                        "id": "R",
                        "infons": {"type": "binds"},
                        "nodes": [{"refid": "1", "role": ""}, {"refid": "2", "role": ""}],
                    }
                ],
            }
        ],
    },
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
    "docred": {
        "title": "a",
        "sents": [WORDS],
        "vertexSet": [
            [{"name": "ORC", "sent_id": 0, "pos": [0, 1], "type": "protein"}],
            [{"name": "ATP", "sent_id": 0, "pos": [2, 3], "type": "chemical"}],
        ],
        "labels": [{"h": 0, "t": 1, "r": "binds"}],
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
    "ubiai": {
        "documentName": "a",
        "document": TEXT,
        "tokens": [
            {"text": "ORC", "start": 0, "end": 3, "token_start": 0, "token_end": 0, "entityLabel": "protein"},
            {
                "text": "ATP",
                "start": 10,
                "end": 13,
                "token_start": 2,
                "token_end": 2,
                "entityLabel": "chemical",
            },
        ],
        "relations": [{"head": 0, "child": 2, "relationLabel": "binds"}],
    },
}
LISTS = ("bioc-json", "biorelex", "docred", "labelstudio", "spert", "ubiai")  # one JSON list
LINES = ("doccano", "dygie", "glirel", "jsonl", "prodigy", "text2dt")  # an item a line

# A document a file.
DOCUMENTS = {
    "cas-json": json.dumps(
        {
            "%TYPES": {},
            "%VIEWS": {"_InitialView": {"%SOFA": 1, "%MEMBERS": [2, 3, 4]}},
            "%FEATURE_STRUCTURES": [
                {"%ID": 1, "%TYPE": "uima.cas.Sofa", "sofaID": "_InitialView", "sofaString": TEXT},
                {"%ID": 2, "%TYPE": "my.Entity", "@sofa": 1, "begin": 0, "end": 3, "value": "protein"},
                {"%ID": 3, "%TYPE": "my.Entity", "@sofa": 1, "begin": 10, "end": 13, "value": "chemical"},
                {
                    "%ID": 4,
                    "%TYPE": "my.Relation",
                    "@sofa": 1,
                    "begin": 10,
                    "end": 13,
                    "value": "binds",
                    "@Governor": 2,
                    "@Dependent": 3,
                },
            ],
        },
        indent=1,
    )
    + "\n",
    "cas-xmi": f"""\
<?xml version="1.0" encoding="UTF-8"?>
<xmi:XMI xmlns:xmi="http://www.omg.org/XMI" xmlns:cas="http:///uima/cas.ecore" xmlns:my="http:///my.ecore">
  <my:Entity xmi:id="2" sofa="1" begin="0" end="3" value="protein"/>
  <my:Entity xmi:id="3" sofa="1" begin="10" end="13" value="chemical"/>
  <my:Relation xmi:id="4" sofa="1" begin="10" end="13" Governor="2" Dependent="3" value="binds"/>
  <cas:Sofa xmi:id="1" sofaNum="1" sofaID="_InitialView" mimeType="text" sofaString="{TEXT}"/>
  <cas:View sofa="1" members="2 3 4"/>
</xmi:XMI>
""",
    "webanno": f"""\
#FORMAT=WebAnno TSV 3.3
#T_SP=my.Entity|value
#T_RL=my.Relation|value|BT_my.Entity


#Text={TEXT}
1-1\t0-3\tORC\tprotein\t_\t_\t
1-2\t4-9\tbinds\t_\t_\t_\t
1-3\t10-13\tATP\tchemical\tbinds\t1-1\t
""",
}


def documented():
    """The sections of docs/formats.md that are named after a format: its example, JSON made one line."""
    page = (Path(__file__).resolve().parents[2] / "docs" / "formats.md").read_text("utf-8")
    sections = dict(section.split("\n", 1) for section in page.split("\n## ")[1:])
    examples = {}
    for name in (*ITEMS, *DOCUMENTS):
        kind, example = re.search(r"```(\w+)\n(.*?)```", sections[name], re.S).groups()
        examples[name] = example if kind in ("text", "xml") else " ".join(example.split())
    return examples


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
    """Any text without words, entities anywhere, without white space at their edges."""
    text = draw(st.text(min_size=1))
    places = spans(len(text)).map(lambda span: trimmed(text, *span)).filter(lambda span: span[0] < span[1])
    gold = draw(extractions(places, labels)) if text.strip() else Extraction()
    return AnnotatedText(draw(st.text()), text, gold)


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
    ranges = [(low, high) for low in range(len(words)) for high in range(low, len(words))]
    places = [(starts[low], starts[high] + len(words[high])) for low, high in ranges]
    places = [place for place in places if trimmed(text, *place) == place]
    labels = st.text().filter(str.strip)
    extraction = draw(extractions(st.sampled_from(places), labels)) if places else Extraction()
    return AnnotatedText(draw(st.text()), text, extraction, tuple(words))
