"""Choosing hyper-parameters of certified models."""

from pystruct_ext.model_selection.path import CPath, PathPoint, c_path

__all__ = ["CPath", "PathPoint", "c_path"]
