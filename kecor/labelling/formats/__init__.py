"""The annotation formats by name."""

from kecor.labelling.base import ExportFormat, Format
from kecor.labelling.formats.datumaro import Datumaro
from kecor.labelling.formats.kitti import Kitti
from kecor.labelling.formats.kitti_raw import KittiRaw
from kecor.labelling.formats.labelcloud import LabelCloud
from kecor.labelling.formats.openpcdet_custom import OpenPCDetCustom
from kecor.labelling.formats.segments_ai import SegmentsAi
from kecor.labelling.formats.sly_pointcloud import SlyPointCloud
from kecor.labelling.formats.sustechpoints import SustechPoints
from kecor.labelling.formats.xtreme1 import Xtreme1

_FORMATS: list[Format] = [
    LabelCloud(),
    Datumaro(),
    SlyPointCloud(),
    KittiRaw(),
    SustechPoints(),
    Xtreme1(),
    SegmentsAi(),
    OpenPCDetCustom(),
    Kitti(),
]
_EXPORTS: list[ExportFormat] = [LabelCloud(), Datumaro(), SlyPointCloud(), OpenPCDetCustom()]

FORMATS = {format_.name: format_ for format_ in _FORMATS}
"""Formats that can be read."""
EXPORT_FORMATS = {format_.name: format_ for format_ in _EXPORTS}
"""Formats that work can be handed out in."""
