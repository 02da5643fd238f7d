"""Offsets in UTF-16 units: in every format whose offsets count characters of a text."""

import json

import pytest

from spacy_bispn.converters import ConversionError, all_formats, get_format
from spacy_bispn.converters.offsets import Gathered, may_differ, spread
from spacy_bispn.records import Entity, Relation

TEXT = "a 🙂 ORC binds\n𝛼ATP. It"
ORC, ATP = Entity(4, 7, "protein"), Entity(14, 18, "chemical")
ORC_AT, ATP_AT = (5, 8), (15, 20)  # in UTF-16 units

ANN = "T1\tprotein {} {}\tORC\nT2\tchemical {} {}\t𝛼ATP\nR1\tbinds Arg1:T1 Arg2:T2\n"
PUBTATOR = (
    "7|t|a 🙂 ORC binds\n7|a|𝛼ATP. It\n"
    "7\t{}\t{}\tORC\tprotein\tP1\n7\t{}\t{}\t𝛼ATP\tchemical\tC1\n7\tbinds\tP1\tC1\n"
)


def bioc(a, b, c, d):
    def annotation(number, kind, start, end, text):
        return (
            f'<annotation id="{number}"><infon key="type">{kind}</infon>'
            f'<location offset="{start}" length="{end - start}"/><text>{text}</text></annotation>'
        )

    first, second = annotation(1, "protein", a, b, "ORC"), annotation(2, "chemical", c, d, "𝛼ATP")
    relation = '<relation id="R"><infon key="type">binds</infon><node refid="1"/><node refid="2"/></relation>'
    behind = 15 if a == 5 else 14
    return (
        f"<?xml version='1.0'?><collection><document><id>7</id><passage><offset>0</offset>"
        f"<text>a 🙂 ORC binds</text>{first}</passage><passage><offset>{behind}</offset>"
        f"<text>&#x1d6fc;ATP. It</text>{second}</passage>{relation}</document></collection>"
    )


def lines(a, b, c, d):
    item = {"text": TEXT, "entities": [[a, b, "protein"], [c, d, "chemical"]], "relations": [[0, 1, "binds"]]}
    return json.dumps(item)


def bioc_json(a, b, c, d):
    def annotation(number, kind, start, end, text):
        places = [{"offset": start, "length": end - start}]
        return {"id": number, "infons": {"type": kind}, "text": text, "locations": places}

    passages = [
        {"offset": 0, "text": "a 🙂 ORC binds", "annotations": [annotation("1", "protein", a, b, "ORC")]},
        {
            "offset": 15 if a == 5 else 14,
            "text": "𝛼ATP. It",
            "annotations": [annotation("2", "chemical", c, d, "𝛼ATP")],
        },
    ]
    relation = {"infons": {"type": "binds"}, "nodes": [{"refid": "1"}, {"refid": "2"}]}
    return json.dumps([{"id": 7, "passages": passages, "relations": [relation]}], ensure_ascii=False)


def ubiai(a, b, c, d):
    def span(start, end, first, text, label):
        return {"start": start, "end": end, "token_start": first, "text": text, "entityLabel": label}

    spans = [span(a, b, 2, "ORC", "protein"), span(c, d, 4, "𝛼ATP", "chemical")]
    relation = {"head": 2, "child": 4, "relationLabel": "binds"}
    return json.dumps([{"document": TEXT, "tokens": spans, "relations": [relation]}])


def chemprot(a, b, c, d):
    return f"7\tT1\tprotein\t{a}\t{b}\tORC\n7\tT2\tchemical\t{c}\t{d}\t𝛼ATP\n"


MAKE = {
    "bioc": bioc,
    "bioc-json": bioc_json,
    "brat": ANN.format,
    "chemprot": chemprot,
    "jsonl": lines,
    "pubtator": PUBTATOR.format,
    "ubiai": ubiai,
}


def save(folder, form, *offsets):
    if form == "chemprot":
        (folder / "entities.tsv").write_text(chemprot(*offsets), encoding="utf-8")
        (folder / "relations.tsv").write_text("7\tbinds\tArg1:T1\tArg2:T2\n", encoding="utf-8")
        path = folder / "abstracts.tsv"
        path.write_text("7\t" + TEXT.replace("\n", "\t") + "\n", encoding="utf-8")
        return path
    path = folder / f"in.{'ann' if form == 'brat' else 'data'}"
    path.write_text(MAKE[form](*offsets), encoding="utf-8")
    if form == "brat":
        path.with_suffix(".txt").write_text(TEXT, encoding="utf-8")
    return path


@pytest.mark.parametrize("form", MAKE)
@pytest.mark.parametrize("offsets", ["utf-16", "auto"])
def test_offsets_in_utf16_units_are_read_as_such(tmp_path, form, offsets):
    conversion = get_format(form).read(save(tmp_path, form, *ORC_AT, *ATP_AT), offsets=offsets)
    (text,) = conversion.texts
    assert text.text.split() == TEXT.split()
    assert text.extraction.entities == (ORC, ATP)
    assert text.extraction.relations == (Relation(ORC, ATP, "binds"),)
    assert conversion.report.noted["texts whose offsets count UTF-16 units"] == 1
    assert conversion.report.problems == []


@pytest.mark.parametrize("form", MAKE)
@pytest.mark.parametrize("options", [{}, {"offsets": "characters"}, {"offsets": "auto"}])
def test_offsets_in_characters_are_read_as_such(tmp_path, form, options):
    path = save(tmp_path, form, ORC.start, ORC.end, ATP.start, ATP.end)
    conversion = get_format(form).read(path, **options)
    assert conversion.texts[0].extraction.entities == (ORC, ATP)
    told = {"texts whose offsets count characters, though the tool may count UTF-16 units"}
    assert told & conversion.report.noted.keys() == (told if options.get("offsets") == "auto" else set())


@pytest.mark.parametrize("form", sorted(MAKE.keys() - {"jsonl"}))
def test_an_error_about_offsets_names_the_option(tmp_path, form):
    with pytest.raises(ConversionError, match=r"2 of the 2 mentions .* Pass --offsets utf-16 if"):
        get_format(form).read(
            save(
                tmp_path,
                form,
                *(at + 2 for at in (*ORC_AT, *ATP_AT)) if "bioc" not in form else (2, 5, 17, 20),
            )
        )


def test_every_format_with_a_text_of_its_own_has_the_option():
    without = {name for name, form in all_formats().items() if "offsets" not in form.options}
    tokens = {"docred", "dygie", "glirel", "spert", "webanno"}
    named = {"biorelex", "cas-json", "cas-xmi", "text2dt"}  # what they count is defined
    assert without <= tokens | named


@pytest.mark.parametrize(
    ("content", "differs"),
    [
        ("plain ü 中", False),
        ("🙂", True),
        (json.dumps("🙂"), True),
        ('{"a": "\\u00fc"}', False),
        ("x" * (2**20 - 3) + "\\ud83d\\ude42", True),
        ("x" * (2**20 - 2) + "🙂", True),
        ("&#x1F642;", True),
        (repr("\U000e0001"), True),
    ],
)
def test_a_file_is_read_twice_only_where_it_may_matter(tmp_path, content, differs):
    (tmp_path / "in.txt").write_text(content, encoding="utf-8")
    assert may_differ(tmp_path / "in.txt") is differs
    assert may_differ(tmp_path) is differs


def test_units_and_characters():
    text = "a🙂b𝛼"
    assert len(spread(text)) == len(text.encode("utf-16-le")) // 2 == 6
    gathered = Gathered(spread(text))
    assert gathered.text == text
    assert [gathered.offset(unit) for unit in range(7)] == [0, 1, 2, 2, 3, 4, 4]
    assert [unit for unit in range(7) if gathered.splits(unit)] == [2, 5]
