"""Models in one file, without pickle; the format is in docs/model_format.md."""

from pystruct_ext.persistence.model_file import ModelFileError, load, save

__all__ = ["ModelFileError", "load", "save"]
