"""Models in one file, without pickle; the format is in docs/model_format.md."""

from pystruct_ext.persistence.archive import load, save
from pystruct_ext.persistence.registry import ModelFileError, storable

__all__ = ["ModelFileError", "load", "save", "storable"]
