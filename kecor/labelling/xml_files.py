"""Reading XML that strangers send, without entities."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import NoReturn
from xml.parsers import expat

from kecor.errors import DataError
from kecor.labelling.reading import read_bytes


def read_xml(path: Path) -> ElementTree.Element:
    """The root of an XML file.

    A bare ``<!DOCTYPE name>``, which tracklet files start with, is allowed. Document types with content of their own
    or elsewhere are refused before anything is expanded: entities can fill the memory or fetch other files.

    Raises:
        DataError: the file cannot be read, is no XML, or declares more than the name of its type.
    """
    content = read_bytes(path)

    def refuse(*_: object) -> NoReturn:
        raise DataError(f"{path}: declares entities or an external document type; no label file needs them")

    def document_type(_name: str, system: str | None, public: str | None, has_content: int) -> None:
        if system or public or has_content:
            refuse()

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = document_type
    parser.EntityDeclHandler = refuse
    parser.ExternalEntityRefHandler = refuse
    try:
        parser.Parse(content, True)
        return ElementTree.fromstring(content)
    except (expat.ExpatError, ElementTree.ParseError, ValueError, LookupError) as error:
        raise DataError(f"{path}: is no valid XML: {error}; export it again") from error
