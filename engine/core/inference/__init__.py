"""A mapping proposed for files that nobody has described: what each column holds, judged by a sample.

:func:`read_sample` reads the beginning of a file and finds out how it is written; :func:`propose` judges its columns by
the reference converters, cell by cell, and runs the mapping it makes over the sample before giving it back.
"""

from engine.core.inference.propose import Note, Proposal, mapping_id, propose
from engine.core.inference.render import to_json_document, to_toml_document
from engine.core.inference.sample import SAMPLE_BYTES, Sample, read_sample

__all__ = [
    "SAMPLE_BYTES",
    "Note",
    "Proposal",
    "Sample",
    "mapping_id",
    "propose",
    "read_sample",
    "to_json_document",
    "to_toml_document",
]
