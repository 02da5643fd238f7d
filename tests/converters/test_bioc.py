"""BioC XML: passages become one text, nodes and concepts relations."""

import pytest

from spacy_bispn.converters import ConversionError
from spacy_bispn.converters.formats.bioc import read_bioc
from spacy_bispn.records import Entity, Extraction, Relation

DOCTYPE = '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE collection SYSTEM "BioC.dtd">\n'
DRUG, SHOCK, CLONIDINE = Entity(0, 8, "Chemical"), Entity(18, 23, "Disease"), Entity(25, 34, "Chemical")
NALOXONE_XML = (
    '<annotation id="1"><infon key="type">Chemical</infon><infon key="MESH">D1</infon>'
    '<location offset="0" length="8"/><text>Naloxone</text></annotation>'
)
SHOCK_XML = (
    '<annotation id="2"><infon key="type">Disease</infon><infon key="MESH">D2|D4</infon>'
    '<location offset="18" length="5"/><text>shock</text></annotation>'
)
CLONIDINE_XML = (
    '<annotation id="3"><infon key="type">Chemical</infon><infon key="MESH">D3</infon>'
    '<location offset="25" length="9"/><text>Clonidine</text></annotation>'
)
NODES = '<node refid="1" role=""/><node refid="2" role=""/>'


def relation(inside, label='<infon key="type">CID</infon>', name="R1"):
    return f'<relation id="{name}">{label}{inside}</relation>'


def passage(offset, text, inside=""):
    return f"<passage><offset>{offset}</offset><text>{text}</text>{inside}</passage>"


def document(*inside, name="7"):
    return f"<document>\n<id>{name}</id>\n" + "\n".join(inside) + "\n</document>"


def two_passages(*inside):
    return document(
        passage(0, "Naloxone reverses shock.", NALOXONE_XML + SHOCK_XML),
        passage(25, "Clonidine &lt; 5.", CLONIDINE_XML),
        *inside,
    )


@pytest.fixture
def read(tmp_path):
    def read_content(content, **settings):
        path = tmp_path / "corpus.xml"
        if isinstance(content, str):
            content = f"{DOCTYPE}<collection><source/><date/><key/>{content}</collection>".encode()
        path.write_bytes(content)
        return read_bioc(path, **settings)

    return read_content


def relations(conversion):
    return conversion.texts[0].extraction.relations


def test_passages_are_one_text(read):
    (text,) = read(two_passages(relation(NODES))).texts
    assert (text.id, text.text, text.words) == ("7", "Naloxone reverses shock. Clonidine < 5.", None)
    assert text.extraction == Extraction((DRUG, SHOCK, CLONIDINE), (Relation(DRUG, SHOCK, "CID"),))


@pytest.mark.parametrize(
    ("first", "second", "text", "start"),
    [
        (0, 25, "Naloxone reverses shock. Clonidine.", 25),
        (0, 24, "Naloxone reverses shock.Clonidine.", 24),
        (0, 999_999_999, "Naloxone reverses shock. Clonidine.", 25),
        (300, 326, "Naloxone reverses shock. Clonidine.", 25),
        (326, 300, "Clonidine. Naloxone reverses shock.", 0),
    ],
)
def test_offsets_leave_at_most_one_space_between_passages(read, first, second, text, start):
    mention = CLONIDINE_XML.replace('"25"', f'"{second}"')
    (found,) = read(
        document(passage(first, "Naloxone reverses shock."), passage(second, "Clonidine.", mention))
    ).texts
    assert found.text == text
    assert found.extraction.entities == (Entity(start, start + 9, "Chemical"),)


def test_sentences_make_up_a_passage_without_text(read):
    sentences = (
        f"<sentence><offset>0</offset><text>Naloxone reverses shock.</text>{NALOXONE_XML}</sentence>"
        "<sentence><offset>25</offset><text>Clonidine.</text></sentence>"
    )
    both = '<annotation id="9"><infon key="type">X</infon><location offset="18" length="16"/></annotation>'
    (text,) = read(document(f"<passage><offset>0</offset>{sentences}{both}</passage>")).texts
    assert text.text == "Naloxone reverses shock. Clonidine."
    # An annotation of the passage may span its sentences.
    assert set(text.extraction.entities) == {DRUG, Entity(18, 34, "X")}


def test_sentences_of_the_file_are_those_that_it_is_cut_into(read):
    sentences = (
        "<sentence><offset>0</offset><text>A title without a stop</text></sentence>"
        "<sentence><offset>23</offset><text>Naloxone. It works.</text></sentence>"
    )
    divided = f"<passage><offset>0</offset>{sentences}</passage>"
    undivided = "<passage><offset>50</offset><text>Clonidine.</text></passage>"
    for passages, texts in (
        (divided, ["A title without a stop", "Naloxone. It works."]),
        (divided + undivided, ["A title without a stop Naloxone.", "It works. Clonidine."]),
    ):
        found = read(document(passages), level="sentence", starts=lambda text: [text.text.index("It")])
        assert [text.text for text in found.texts] == texts


@pytest.mark.parametrize("where", ["document", "passage", "sentence"])
def test_relations_may_stand_anywhere(read, where):
    inside = {name: relation(NODES) if name == where else "" for name in ("document", "passage", "sentence")}
    sentence = (
        "<sentence><offset>0</offset><text>Naloxone reverses shock.</text>"
        f"{NALOXONE_XML}{SHOCK_XML}{inside['sentence']}</sentence>"
    )
    content = f"<passage><offset>0</offset>{sentence}{inside['passage']}</passage>{inside['document']}"
    assert relations(read(document(content))) == (Relation(DRUG, SHOCK, "CID"),)


@pytest.mark.parametrize(
    ("roles", "head", "tail"),
    [
        (("", ""), DRUG, SHOCK),
        (("Arg1", "Arg2"), DRUG, SHOCK),
        (("Arg2", "Arg1"), SHOCK, DRUG),
        (("object", "Subject"), SHOCK, DRUG),
        (("Disease", "Chemical"), DRUG, SHOCK),
    ],
)
def test_roles_give_the_direction_where_they_can(read, roles, head, tail):
    nodes = f'<node refid="1" role="{roles[0]}"/><node refid="2" role="{roles[1]}"/>'
    assert relations(read(two_passages(relation(nodes)))) == (Relation(head, tail, "CID"),)


def test_the_label_of_a_relation_may_be_called_relation(read):
    label = '<infon key="relation">CID</infon>'
    assert relations(read(two_passages(relation(NODES, label)))) == (Relation(DRUG, SHOCK, "CID"),)


@pytest.mark.parametrize(
    "inside",
    [
        '<infon key="Chemical">D1</infon><infon key="Disease">D4</infon>',
        '<infon key="score">0.9</infon><infon key="entity1">D1</infon><infon key="entity2">D2</infon>',
        '<infon key="a">Chemical|D1</infon><infon key="b">Disease|D2</infon><node refid="0" role="0,1"/>',
        '<node refid="D1" role="Chemical"/><node refid="D2" role="Disease"/>',
        '<node refid="1" role="Chemical"/><node refid="D4" role="Disease"/>',
    ],
)
def test_relations_between_concepts_join_their_mentions(read, inside):
    conversion = read(two_passages(relation(inside)))
    assert relations(conversion) == (Relation(DRUG, SHOCK, "CID"),)
    assert conversion.report.noted == {
        "relations between concepts": 1,
        "pairs of mentions made of them": 1,
        "ids of concepts from the infon 'MESH'": 3,
    }


def test_all_pairs_or_the_nearest(read):
    again = NALOXONE_XML.replace('id="1"', 'id="4"').replace('"0" length="8"', '"35" length="1"')
    content = two_passages(
        again.replace("<text>Naloxone</text>", ""),
        relation('<infon key="a">D1</infon><infon key="b">D2</infon>'),
    )
    other = Entity(35, 36, "Chemical")
    assert set(relations(read(content))) == {Relation(DRUG, SHOCK, "CID"), Relation(other, SHOCK, "CID")}
    assert relations(read(content, pairs="nearest")) == (Relation(DRUG, SHOCK, "CID"),)
    with pytest.raises(ValueError, match="pairs is 'some', expected all or nearest"):
        read(content, pairs="some")


@pytest.mark.parametrize(
    ("inside", "what"),
    [
        ('<infon key="a">D1</infon><infon key="b">D9</infon>', "1 of its infons name a concept"),
        ("", "0 of its infons name a concept"),
        ('<node refid="D1" role=""/><node refid="D9" role=""/>', "no mention of 'D9'"),
        ('<infon key="a">D2</infon><infon key="b">D4</infon>', "one mention for both ends"),
    ],
)
def test_a_relation_with_a_concept_that_no_mention_has_is_a_problem(read, inside, what):
    conversion = read(two_passages(relation(inside)))
    assert relations(conversion) == ()
    ((text_id, problem),) = conversion.report.problems
    assert text_id == "7"
    assert problem.startswith("line 7: a 'CID' relation was dropped, ")
    assert what in problem


def test_what_is_left_out_is_counted(read):
    nowhere = '<annotation id="4"><infon key="type">Species</infon><infon key="id">9606</infon></annotation>'
    conversion = read(
        two_passages(
            nowhere,
            relation(NODES + '<node refid="3" role=""/>'),
            relation('<node refid="R1" role=""/><node refid="2" role=""/>', name="R2"),
            relation('<node refid="1" role=""/><node refid="4" role=""/>', name="R3"),
        )
    )
    assert relations(conversion) == ()
    assert conversion.report.dropped == {
        "annotations without a location": 1,
        "relations with more than two ends": 1,
        "relations of relations": 1,
        "relations of dropped mentions": 1,
    }
    assert conversion.report.problems == []


def test_mentions_in_several_places_are_dropped_or_covered(read):
    places = '<location offset="0" length="8"/><location offset="18" length="5"/>'
    mention = NALOXONE_XML.replace('id="1"', 'id="4"').replace('<location offset="0" length="8"/>', places)
    content = two_passages(mention.replace("<text>Naloxone", "<text>Naloxone shock"), relation(NODES))
    conversion = read(content)
    assert conversion.texts[0].extraction.entities == (DRUG, SHOCK, CLONIDINE)
    assert conversion.report.dropped == {"discontiguous mentions": 1}
    conversion = read(content, discontiguous="cover")
    assert Entity(0, 23, "Chemical") in conversion.texts[0].extraction.entities
    assert conversion.report.noted["discontiguous mentions covered by one span"] == 1
    assert conversion.report.problems == []


def test_a_document_without_text_is_left_out_and_reported(read):
    conversion = read(two_passages() + document(passage(0, ""), name="8"))
    assert [text.id for text in conversion.texts] == ["7"]
    assert conversion.report.problems == [("8", "left out: there is no text in it")]


def test_a_mention_that_is_not_where_it_should_be_is_a_problem(read):
    conversion = read(two_passages().replace("<text>Clonidine</text>", "<text>aspirin</text>"))
    assert conversion.report.problems == [("7", "line 6: the mention 'aspirin' marks 'Clonidine'")]


def test_offsets_that_count_bytes_are_an_error(read):
    mentions = NALOXONE_XML.replace('offset="0"', 'offset="4"') + SHOCK_XML.replace('"18"', '"22"')
    with pytest.raises(ConversionError, match=r"line 5: found 2 of the 2 mentions in '7'.*in characters"):
        read(document(passage(0, "\u03b1\u03b2Naloxone reverses shock....", mentions)))


@pytest.mark.parametrize(
    "encode",
    [
        lambda text: b"\xef\xbb\xbf" + text.encode(),
        lambda text: text.replace("UTF-8", "UTF-16").encode("utf-16"),
        lambda text: text.replace("UTF-8", "ISO-8859-1").encode("latin-1"),
        lambda text: text.replace("\n", "\r\n").encode(),
    ],
)
def test_the_encoding_is_the_one_the_file_declares(read, encode):
    content = DOCTYPE + "<collection>" + document(passage(0, "Å\nNaloxone.", "")) + "</collection>"
    assert read(encode(content)).texts[0].text == "Å\nNaloxone."


@pytest.mark.parametrize(
    ("change", "line", "found", "expected"),
    [
        (('"25" length', '"99" length'), 6, "the span 99 to 108", "which ends at 39"),
        (('length="9"', 'length="99"'), 6, "the span 25 to 124", "which ends at 39"),
        (('length="9"', 'length="0"'), 6, "the span 25 to 25", "a stretch of the text"),
        (('length="9"', 'length="-9"'), 6, "'-9'", "a whole number"),
        ((' length="9"', ""), 6, "the attributes 'offset'", "the attribute 'length' of <location>"),
        (('id="3"', 'id="1"'), 6, "the id '1' again", "an id that no other <annotation>"),
        (("Disease</infon>", "</infon>"), 5, "none", "the infon 'type' with a label"),
        (('<infon key="type">CID', '<infon key="kind">CID'), 7, "none", "the infon 'type' or 'relation'"),
        (('refid="2"', 'refid="9"'), 7, "a node with refid '9'", "the id of an annotation or relation"),
        (('refid="2" ', ""), 7, "the attributes 'role'", "the attribute 'refid'"),
        (("<offset>25", "<offset>x"), 6, "'x'", "a whole number"),
        (("<offset>25</offset>", ""), 6, "0", "one <offset> in <passage>"),
        (("<id>7</id>", "<id>7</id><id>8</id>"), 3, "2", "one <id> in <document>"),
        (("reverses", "<b>re</b>verses"), 5, "'verses shock.' beside an element", "either text or elements"),
    ],
)
def test_malformed_elements_are_named(read, change, line, found, expected):
    content = two_passages(relation(NODES))
    assert change[0] in content
    with pytest.raises(ConversionError) as error:
        read(content.replace(*change))
    for part in (f"corpus.xml, line {line}: found {found}", expected):
        assert part in str(error.value)


def test_two_relations_with_one_id_are_an_error(read):
    with pytest.raises(ConversionError, match="the id 'R1' again, expected an id that no other <relation>"):
        read(two_passages(relation(NODES), relation(NODES)))


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "an empty file"),
        (b" \n", "an empty file"),
        (b'{"documents": []}', "invalid XML"),
        (b"<collection><document>", "invalid XML (no element found: line 1"),
        (b"<collection>\xff</collection>", "invalid XML (not well-formed"),
        (b'<?xml version="1.0" encoding="klingon"?><a/>', "invalid XML (unknown encoding"),
        (b'<?xml version="1.0" encoding="shift_jis"?><a/>', "invalid XML (multi-byte"),
        (b"<html><document/></html>", "line 1: found <html>, expected <collection>. Check"),
        (b"<collection/>", "found <collection> without a document"),
    ],
)
def test_malformed_files_are_named(read, content, found):
    with pytest.raises(ConversionError) as error:
        read(content)
    for part in ("corpus.xml", found, "expected"):
        assert part in str(error.value)


@pytest.mark.parametrize(
    "declaration",
    [
        '[<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]',
        '[<!ENTITY b SYSTEM "secret.txt">]',
        '[<!ENTITY % b SYSTEM "secret.dtd"> %b;]',
    ],
)
def test_a_file_that_declares_entities_is_refused(read, tmp_path, declaration):
    (tmp_path / "secret.txt").write_text("secret", encoding="utf-8")
    content = DOCTYPE.replace('SYSTEM "BioC.dtd"', declaration) + f"<collection>{two_passages()}</collection>"
    with pytest.raises(ConversionError, match=r"corpus\.xml, line 2: found the entity '[ab]', expected char"):
        read(content.replace("shock.", "&b;").encode())


def test_an_entity_that_only_the_dtd_could_explain_is_refused(read):
    with pytest.raises(ConversionError, match="line 5: found the entity 'nbsp'"):
        read(two_passages().replace("reverses ", "reverses&nbsp;"))


def test_what_stands_where_nothing_is_read_is_counted(read):
    inside = document(passage(0, "Aspirin."), name="8")
    conversion = read(two_passages(inside) + f"<group>{inside}</group>{NALOXONE_XML}")
    assert [text.id for text in conversion.texts] == ["7"]
    assert conversion.report.dropped == {
        "<document> elements in a <document>": 1,
        "<group> elements in a <collection>": 1,
        "<annotation> elements in a <collection>": 1,
    }


def test_a_passage_with_an_empty_text_has_that_of_its_sentences(read):
    sentence = "<sentence><offset>25</offset><text>Then.</text></sentence>"
    parts = passage(0, "Naloxone reverses shock."), passage(25, "", sentence)
    assert read(document(*parts)).texts[0].text == "Naloxone reverses shock. Then."


def test_attributes_that_only_a_dtd_would_add_are_not_there(read):
    added = '<!DOCTYPE collection [<!ATTLIST node refid CDATA "1">]>'
    ends = relation('<node role=""/><node refid="2" role=""/>')
    with pytest.raises(ConversionError, match="the attribute 'refid' of <node>"):
        read(f"{added}<collection>{two_passages(ends)}</collection>".encode())


def test_deep_nesting_costs_no_more_than_its_length(read):
    depth = 100_000  # where every element is held against all around it, this takes minutes
    with pytest.raises(ConversionError, match="<collection> without a document"):
        read(b"<collection>" + b"<a>" * depth + b"</a>" * depth + b"</collection>")


def mention(number, text, offset, label="X", said=None):
    return (
        f'<annotation id="{number}"><infon key="type">{label}</infon>'
        f'<location offset="{offset}" length="{len(text)}"/><text>{text if said is None else said}</text>'
        "</annotation>"
    )


TITLE = "Borova&apos;s glue &amp; rope."  # 21 characters, 30 with its escapes
SECOND = Entity(22, 27, "X")
LAID_OUT = "documents whose passages lie {}, not where their offsets say"


@pytest.mark.parametrize("lenient", [False, True])
@pytest.mark.parametrize("said", [None, "ARLEN"])
@pytest.mark.parametrize(
    ("declared", "start", "text", "noted"),
    [
        (22, 22, "Borova's glue & rope. Arlen makes glue.", None),
        (31, 31, "Borova's glue & rope. Arlen makes glue.", None),  # both count escapes of the title
        (31, 22, "Borova's glue & rope. Arlen makes glue.", "one character after each other"),
        (20, 22, "Borova's glue & rope. Arlen makes glue.", "one character after each other"),
        (31, 21, "Borova's glue & rope.Arlen makes glue.", "right behind each other"),
        (22, 23, "Borova's glue & rope. Arlen makes glue.", "two characters after each other"),
    ],
)
def test_passages_lie_where_their_mentions_are_right(read, declared, start, text, noted, said, lenient):
    second = mention(2, "Arlen", start, said=said) + mention(3, "glue", start + 12)
    content = document(
        passage(0, TITLE, mention(1, "rope", 16)), passage(declared, "Arlen makes glue.", second)
    )
    conversion = read(content, lenient=lenient)
    found = conversion.texts[0]
    assert found.text == text
    marked = [text[one.start : one.end] for one in found.extraction.entities]
    assert marked == ["rope", "Arlen", "glue"]
    expected = {LAID_OUT.format(noted): 1} if noted else {}
    if said:
        expected["mentions whose own text is spelt otherwise than what they mark"] = 1
    assert (conversion.report.noted, conversion.report.problems) == (expected, [])


def test_mentions_may_count_from_their_passage_or_sentence(read):
    sentences = (
        f"<sentence><offset>30</offset><text>It bends.</text>{mention(2, 'bends', 3)}</sentence>"
        f"<sentence><offset>40</offset><text>We bend it.</text>{mention(3, 'bend', 3)}</sentence>"
    )
    content = document(
        passage(0, "A rod of steel.", mention(1, "steel", 9)),
        passage(30, "", sentences),
        relation('<node refid="1" role=""/><node refid="3" role=""/>'),
    )
    conversion = read(content)
    (text,) = conversion.texts
    assert text.text == "A rod of steel. It bends. We bend it."
    assert text.extraction.entities == (Entity(9, 14, "X"), Entity(19, 24, "X"), Entity(29, 33, "X"))
    assert relations(conversion) == (Relation(Entity(9, 14, "X"), Entity(29, 33, "X"), "CID"),)
    what = "documents whose annotations count from the beginning of their passage or sentence"
    assert (conversion.report.noted, conversion.report.problems) == ({what: 1}, [])


def test_each_document_has_its_own_layout(read):
    parts = [
        document(passage(0, TITLE), passage(offset, "Arlen.", mention(1, "Arlen", 22)), name=str(offset))
        for offset in (22, 31)
    ]
    conversion = read("".join(parts))
    assert [text.extraction.entities for text in conversion.texts] == [(SECOND,), (SECOND,)]
    assert conversion.report.noted == {LAID_OUT.format("one character after each other"): 1}


def test_passages_that_overlap_are_an_error_if_no_layout_makes_mentions_right(read):
    wrong = mention(1, "rope", 3) + mention(2, "glue", 5)
    with pytest.raises(ConversionError) as caught:
        read(document(passage(0, TITLE, wrong), passage(9, "Arlen makes glue.")))
    for part in ("found the offset 9", "expected 21 or more, where the text before it ends", "Count offsets"):
        assert part in str(caught.value)
    # without a mention no offset matters
    conversion = read(document(passage(0, TITLE), passage(0, "Arlen.")))
    assert conversion.texts[0].text == "Borova's glue & rope. Arlen."
    assert conversion.report.noted == {LAID_OUT.format("one character after each other"): 1}


def test_mentions_outside_of_what_they_stand_in_are_problems_or_an_error(read):
    outside = mention(2, "Borova", 0)
    content = document(passage(0, TITLE), passage(22, "Arlen makes glue.", mention(3, "Arlen", 22) + outside))
    conversion = read(content)
    assert conversion.texts[0].extraction.entities == (SECOND, Entity(0, 6, "X"))
    assert conversion.report.problems == [("7", "line 6: the mention 'Borova' outside of its <passage>")]
    # with no words to go by, and sentences that make counting from the passage impossible
    silent = "".join(mention(number, 19 * "x", number, said="") for number in (0, 1))
    with pytest.raises(ConversionError) as caught:
        read(document(passage(0, TITLE), passage(22, "Arlen makes glue.", silent)))
    for part in ("2 of the 2 mentions in '7' elsewhere than they stand", "outside of its <passage>", "Count"):
        assert part in str(caught.value)


def test_sentences_that_are_not_those_of_their_passage_are_problems(read):
    sentences = "".join(
        f"<sentence><offset>{offset}</offset><text>{text}</text></sentence>"
        for offset, text in ((9, "Arlen."), (16, "Borova."), (16, "It bends."), (0, "Arlen."))
    )
    conversion = read(document(passage(9, "Arlen. It bends.", sentences)))
    assert conversion.texts[0].text == "Arlen. It bends."
    assert [what for _, what in conversion.report.problems] == [
        "line 5: the sentence 'Borova.' is not in its passage, where 'It bend' is",
        "line 5: the sentence 'Arlen.' is not in its passage, where '' is",
    ]


def test_infons_and_elements_that_are_not_read_are_counted(read):
    label = '<infon key="type">CID</infon><infon key="novel">No</infon><infon key="score"/>'
    ends = '<infon key="a">D1</infon><infon key="b">D2</infon>'
    odd = NALOXONE_XML.replace('id="1"', 'id="9"').replace("<text>", "<note>new</note><text>")
    conversion = read(two_passages(odd, relation(NODES, label), relation(ends, label, "R2")))
    assert conversion.report.dropped == {
        "<note> elements in a <annotation>": 1,
        "infons 'novel' of relations": 2,
    }
    assert conversion.report.duplicate_relations == 1


def test_a_document_without_an_id_has_its_position(read):
    parts = [document(passage(0, "Arlen."), name=name) for name in ("a", "b", " ")]
    content = parts[0] + parts[1].replace("<id>b</id>", "") + parts[2]
    assert [text.id for text in read(content).texts] == ["a", "1", "2"]
