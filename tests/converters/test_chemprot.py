"""ChemProt and DrugProt: three files joined by the ids of abstracts."""

import pytest

from spacy_bispn.converters import ConversionError, detect
from spacy_bispn.converters.formats.chemprot import read_chemprot
from spacy_bispn.records import Entity, Extraction, Relation

ABSTRACTS = "17\tORC binds\tATP \u03b1.\n18\tRest\t\n"
ENTITIES = "17\tT1\tGENE\t0\t3\tORC\n17\tT2\tCHEMICAL\t10\t13\tATP\n"
RELATIONS = "17\tBINDS\tArg1:T2\tArg2:T1\n"
ORC, ATP = Entity(0, 3, "GENE"), Entity(10, 13, "CHEMICAL")


@pytest.fixture
def save(tmp_path):
    def save_set(
        abstracts=ABSTRACTS, entities=ENTITIES, relations=RELATIONS, names="x_{}.tsv", last="relations"
    ):
        files = {"abstracts": abstracts, "entities": entities, last: relations}
        for name, content in files.items():
            if content is not None:
                (tmp_path / names.format(name)).write_bytes(content.encode())
        return tmp_path

    return save_set


@pytest.mark.parametrize("names", ["drugprot_training_{}.tsv", "chemprot_test_{}_gs.tsv", "{}.tsv"])
def test_a_folder_with_one_set_is_read(save, names):
    folder = save(names=names)
    conversion = read_chemprot(folder)
    assert [(text.id, text.text) for text in conversion.texts] == [
        ("17", "ORC binds ATP \u03b1."),
        ("18", "Rest "),
    ]
    assert conversion.texts[0].extraction == Extraction((ORC, ATP), (Relation(ATP, ORC, "BINDS"),))
    assert detect(folder) == "chemprot" and conversion.report.noted == conversion.report.dropped == {}


def test_the_name_of_drugprots_own_file_and_of_the_gold_standard(save, tmp_path):
    save(names="drugprot_{}.tsv", last="gold_standard")
    (tmp_path / "drugprot_abstracts.tsv").rename(tmp_path / "drugprot_abstracs.tsv")
    assert read_chemprot(tmp_path).report.relations == 1


def test_one_of_several_sets_is_named_by_its_abstracts(save):
    save(names="train_{}.tsv")
    folder = save(names="dev_{}.tsv", relations=None)
    with pytest.raises(ConversionError) as error:
        read_chemprot(folder)
    for part in ("found dev_abstracts.tsv, train_abstracts.tsv", "one file of abstracts", "Name the one"):
        assert part in str(error.value)
    assert detect(folder / "train_abstracts.tsv") == "chemprot"
    assert read_chemprot(folder / "train_abstracts.tsv").report.relations == 1
    conversion = read_chemprot(folder / "dev_abstracts.tsv")
    assert conversion.report.relations == 0
    assert conversion.report.noted == {"files of abstracts without one of relations": 1}


def test_the_longer_rows_of_chemprot_are_labelled_by_their_group(save):
    rows = "17\tCPR:4\tY \tINHIBITOR\tArg1:T2\tArg2:T1\n17\tCPR:10\tN\tNOT\tArg1:T2\tArg2:T1\n"
    conversion = read_chemprot(save(relations=rows))
    assert [one.label for one in conversion.texts[0].extraction.relations] == ["CPR:4", "CPR:10"]
    assert conversion.report.dropped == {"types finer than a relation's group": 2}
    assert conversion.report.noted == {"relations of groups that the task does not score": 1}


def test_what_has_no_abstract_or_no_entity_is_a_problem(save):
    entities = ENTITIES + "99\tT1\tGENE\t0\t3\tORC\n"
    relations = RELATIONS + "17\tBINDS\tArg1:T2\tArg2:T9\n99\tBINDS\tArg1:T1\tArg2:T1\n"
    conversion = read_chemprot(save(entities=entities, relations=relations))
    assert conversion.report.relations == 1
    assert conversion.report.dropped == {
        "entities of abstracts that are not there": 1,
        "relations of abstracts that are not there": 1,
        "relations of entities that are not there": 1,
    }
    assert conversion.report.problems == [
        ("17", "line 2: a 'BINDS' relation was dropped, there is no entity T9"),
        ("99", "entities left out: x_abstracts.tsv has no such abstract"),
        ("99", "relations left out: x_abstracts.tsv has no such abstract"),
    ]


def test_windows_line_ends_and_byte_order_marks_do_no_harm(save):
    files = [("\ufeff" + content).replace("\n", "\r\n") for content in (ABSTRACTS, ENTITIES, RELATIONS)]
    conversion = read_chemprot(save(*files))
    assert conversion.texts[0].extraction == Extraction((ORC, ATP), (Relation(ATP, ORC, "BINDS"),))
    assert conversion.texts[1].text == "Rest "


def test_offsets_are_checked(save):
    conversion = read_chemprot(save(entities=ENTITIES.replace("\tORC", "\tORD") + "17\tT3\tX\t4\t9\tbinds\n"))
    assert conversion.report.problems == [("17", "line 1: the mention 'ORD' marks 'ORC'")]
    with pytest.raises(ConversionError, match="found 2 of the 2 mentions in '17' elsewhere"):
        read_chemprot(save(abstracts="17\tThe ORC binds\tATP\n"))


@pytest.mark.parametrize(
    ("files", "found", "expected"),
    [
        ({"abstracts": "17\n"}, "x_abstracts.tsv, line 1: found '17'", "the columns id, title and abstract"),
        ({"entities": "17\tT1\tGENE\t0\n"}, "x_entities.tsv, line 1: found '17\\tT1", "at least 6 columns"),
        ({"entities": "17\tT1\tGENE\t0\tx\tORC\n"}, "x_entities.tsv, line 1: found 'x'", "a whole number"),
        ({"entities": "17\tT1\tGENE\t0\t99\tORC\n"}, "the span 0 to 99", "<= 16 characters"),
        (
            {"entities": ENTITIES + ENTITIES},
            "x_entities.tsv, line 3: found the id 'T1' again",
            "an id of its own",
        ),
        ({"entities": ENTITIES.replace("GENE", " ")}, "the label ''", "not blank"),
        ({"entities": None}, "x_abstracts.tsv, whole file: found none", "'x_entities...' beside it"),
        ({"relations": "17\tBINDS\tT2\tT1\n"}, "x_relations.tsv, line 1: found '17\\tBINDS", "'Arg1:T1' and"),
        ({"relations": "17\tBINDS\n"}, "x_relations.tsv, line 1: found '17\\tBINDS'", "at least 4 columns"),
    ],
)
def test_malformed_files_are_named(save, files, found, expected):
    with pytest.raises(ConversionError) as error:
        read_chemprot(save(**files))
    for part in (found, expected):
        assert part in str(error.value)


def test_another_file_or_folder_is_refused(save, tmp_path):
    save()
    with pytest.raises(
        ConversionError, match=r"found the name 'x_entities.tsv', expected a name with 'abstrac'"
    ):
        read_chemprot(tmp_path / "x_entities.tsv")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConversionError, match="found none, expected one file of abstracts"):
        read_chemprot(tmp_path / "empty")


def test_an_abstract_that_cannot_be_read_is_skipped_alone(save):
    conversion = read_chemprot(save(entities=ENTITIES + "18\tT1\tX\t0\t9\tRest\n"), lenient=True)
    assert [text.id for text in conversion.texts] == ["17"] and len(conversion.report.errors) == 1
