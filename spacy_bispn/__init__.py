"""Joint entity and relation extraction for spaCy: the BiSPN component.

Importing this package imports neither torch, transformers nor spaCy: spaCy asks every installed
package for its entry points whenever a blank pipeline is made. Public names are imported on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# Every public name and the module it is defined in. Type checkers and editors read the imports below.
_PUBLIC = {
    "AnnotatedText": "records",
    "AttentionMap": "attention_maps",
    "BatchPredictor": "batch_inference",
    "BiSPN": "component",
    "Comparison": "training.comparison",
    "Drawing": "drawing",
    "Entity": "records",
    "Extraction": "records",
    "Relation": "records",
    "SettingError": "settings",
    "as_doc": "doc_utils",
    "attention_map": "attention_maps",
    "compare_pipelines": "training.comparison",
    "create_reader": "corpus_reader",
    "from_docs": "doc_utils",
    "get_relations": "annotations",
    "render": "drawing",
    "set_annotations": "annotations",
    "set_context": "context",
    "set_relations": "annotations",
    "to_doc": "corpus",
    "to_docbin": "corpus",
    "to_networkx": "graphs",
    "to_rows": "doc_utils",
    "use_extension": "annotations",
}
__all__ = ["__version__", *_PUBLIC]

if TYPE_CHECKING:
    from spacy_bispn.annotations import get_relations as get_relations
    from spacy_bispn.annotations import set_annotations as set_annotations
    from spacy_bispn.annotations import set_relations as set_relations
    from spacy_bispn.annotations import use_extension as use_extension
    from spacy_bispn.attention_maps import AttentionMap as AttentionMap
    from spacy_bispn.attention_maps import attention_map as attention_map
    from spacy_bispn.batch_inference import BatchPredictor as BatchPredictor
    from spacy_bispn.component import BiSPN as BiSPN
    from spacy_bispn.context import set_context as set_context
    from spacy_bispn.corpus import to_doc as to_doc
    from spacy_bispn.corpus import to_docbin as to_docbin
    from spacy_bispn.corpus_reader import create_reader as create_reader
    from spacy_bispn.doc_utils import as_doc as as_doc
    from spacy_bispn.doc_utils import from_docs as from_docs
    from spacy_bispn.doc_utils import to_rows as to_rows
    from spacy_bispn.drawing import Drawing as Drawing
    from spacy_bispn.drawing import render as render
    from spacy_bispn.graphs import to_networkx as to_networkx
    from spacy_bispn.records import AnnotatedText as AnnotatedText
    from spacy_bispn.records import Entity as Entity
    from spacy_bispn.records import Extraction as Extraction
    from spacy_bispn.records import Relation as Relation
    from spacy_bispn.settings import SettingError as SettingError
    from spacy_bispn.training.comparison import Comparison as Comparison
    from spacy_bispn.training.comparison import compare_pipelines as compare_pipelines


if not TYPE_CHECKING:  # a type checker would take any name for a public one

    def __getattr__(name: str) -> Any:
        """Import a public name on first use. Raises AttributeError for any other name."""
        if name not in _PUBLIC:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = globals()[name] = getattr(import_module(f"{__name__}.{_PUBLIC[name]}"), name)
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_PUBLIC})
