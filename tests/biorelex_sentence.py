"""A sentence of BioRelEx small enough to count by hand."""

from spacy_bispn.records import Entity

TEXT = "ORC (origin complex) binds Cdc6p."
ORC, LONG_NAME, CDC6 = Entity(0, 3, "complex"), Entity(5, 19, "complex"), Entity(27, 32, "protein")


def cluster(label, **names):
    spans = {name: {"is_mentioned": bool(mentions), "mentions": mentions} for name, mentions in names.items()}
    return {"label": label, "names": spans}


def sentence(**changes):
    return {
        "id": "a",
        "text": TEXT,
        "entities": [
            cluster("complex", ORC=[[0, 3]], **{"origin complex": [[5, 19]]}),
            cluster("protein", Cdc6p=[[27, 32]]),
        ],
        "interactions": [{"participants": [0, 1], "type": "bind", "label": 1}],
        **changes,
    }
