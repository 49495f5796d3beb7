from collections.abc import Mapping
from os import PathLike
from typing import Any, NamedTuple

from numpy.typing import DTypeLike

from pystruct_ext._core.oracle import Oracle

class Field(NamedTuple):
    name: str
    type: str
    shape: str
    role: str
    range: str

class Kernel:
    fields: tuple[Field, ...]
    @staticmethod
    def from_capsule(capsule: object) -> Kernel: ...
    @staticmethod
    def from_library(path: str | PathLike[str], function: str) -> Kernel: ...
    @property
    def name(self) -> str: ...
    def bind(
        self, values: Mapping[str, Any], dtype: DTypeLike = "float64"
    ) -> Oracle: ...
