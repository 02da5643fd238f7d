"""Known formats that cannot be read: named, with what is missing and what to do."""

import json

import pytest

from spacy_bispn.converters import ConversionError, detect

WORDS = ["ORC", "binds", "ATP"]
SPAN = {"name": "ORC", "pos": [0, 1]}
TACRED = {
    "id": "1",
    "relation": "r",
    "token": WORDS,
    "subj_start": 0,
    "subj_end": 0,
    "obj_start": 2,
    "obj_end": 2,
}
SEMEVAL = '1\t"The <e1>ORC</e1> binds <e2>ATP</e2>."\nBinds(e1,e2)\nComment:\n'


@pytest.mark.parametrize(
    ("content", "name", "missing", "advice"),
    [
        ([TACRED], "TACRED", "each example has one pair", "Put the pairs"),
        (
            {"P1": [{"tokens": WORDS, "h": ["ORC", "Q1", [[0]]], "t": ["ATP", "Q2", [[2]]]}]},
            "FewRel",
            "one pair",
            "Put the",
        ),
        (
            {"text": "ORC binds ATP", "h": SPAN, "t": SPAN, "relation": "r"},
            "FewRel or OpenNRE",
            "one pair",
            "Put the",
        ),
        (SEMEVAL, "SemEval-2010 Task 8", "entities have no labels", "Annotate all"),
        (
            [{"text": "ORC binds ATP", "triple_list": [["ORC", "binds", "ATP"]]}],
            "a list of triples",
            "not where",
            "spans",
        ),
        ({"text": "ORC binds ATP", "spo_list": []}, "a list of triples", "not where", "find each name"),
        (
            {"sentText": "a", "relationMentions": [], "entityMentions": []},
            "a list of triples",
            "not where",
            "jsonl",
        ),
        (
            {"annotatable": {"parts": ["s1p1"]}, "entities": [], "relations": []},
            "tagtog",
            "another file",
            "offset",
        ),
        ({"text": "a", "denotations": [], "relations": []}, "PubAnnotation", "no reader", "`denotations`"),
        ({"examples": [{"content": "a", "annotations": []}]}, "LightTag", "no reader", "`annotations`"),
        (
            " # webanno.custom.Span | f1\n#id=1\n#text=A tale\n1-1\tA\t_\t\n",
            "WebAnno TSV 1 or 2",
            "no offsets",
            "TSV 3",
        ),
        (
            {"_context": {}, "_views": {"_InitialView": {}}},
            "the older JSON of UIMA",
            "replaced",
            "UIMA CAS JSON",
        ),
        (
            {"id": 1, "text": "ORC", "label": [[0, 3, "protein"]]},
            "spans without relations",
            "no relations",
            "jsonl",
        ),
        ("-DOCSTART- -X- O O\n\nORC NN B-NP B-protein\n", "tokens with tags", "no relations", "spert"),
        ("ORC\tB-protein\nbinds\tO\n", "tokens with tags", "no relations", "spert"),
        (
            '<?xml version="1.0"?>\n<!DOCTYPE source_file SYSTEM "apf.dtd">\n<source_file></source_file>',
            "ACE",
            "no reader",
            "dygie",
        ),
        (
            "<?xml version='1.0'?>\n<!-- <collection> -->\n<GateDocument version='3'></GateDocument>",
            "GATE",
            "no reader",
            "jsonl",
        ),
        (b"PK\x03\x04\x14\x00\xff\xfe\n", "a ZIP archive", "not unpacked", "Unpack it"),
    ],
)
def test_a_known_format_is_named_with_what_to_do(tmp_path, content, name, missing, advice):
    path = tmp_path / "corpus.data"
    if not isinstance(content, (str, bytes)):
        content = json.dumps(content)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ConversionError) as error:
        detect(path)
    for part in (
        "corpus.data, first item: found ",
        f"This is {name}",
        "which cannot be read: ",
        missing,
        advice,
    ):
        assert part in str(error.value)
    assert "--format" not in str(error.value)


def test_a_folder_of_tagtog_is_named(tmp_path):
    (tmp_path / "a.ann.json").write_text("{}")
    with pytest.raises(ConversionError, match=r"This is tagtog's ann\.json, which cannot be read"):
        detect(tmp_path)


@pytest.mark.parametrize(
    "content", ['{"text": "a", "labels": []}', "<html>", "A <b>text</b>.", '{"token": ["a"]}']
)
def test_what_is_unknown_is_not_given_a_name(tmp_path, content):
    path = tmp_path / "corpus.data"
    path.write_text(content)
    with pytest.raises(ConversionError, match="Pass --format with the name of the format"):
        detect(path)
