"""What annotators did with the boxes that they began with: ``annotators.json`` of a round."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from kecor import run_dir
from kecor.active.annotators.hand_out import HandedOut
from kecor.active.annotators.stored_labels import StoredLabels
from kecor.files import write_json
from kecor.labelling.changes import compare_with_prelabels
from kecor.labelling.delivery import find_format


def write_outcome(folder: Path, handed_out: HandedOut, ids: list[str], store: StoredLabels, format_name: str) -> str:
    """Count the pre-labels of ``ids`` that were kept, moved, renamed and deleted, and the boxes added.

    Writes ``annotators.json``: ``frames``: id -> counts; ``total``; ``postponed``: frames that were not labelled.

    Returns:
        The total in words.
    """
    after = {frame_id: store.stored(frame_id) for frame_id in ids}
    changes = compare_with_prelabels(handed_out.prelabels, after, find_format(format_name).precision)
    counts = {frame_id: of_frame.counts() for frame_id, of_frame in changes.items()}
    total: Counter[str] = Counter()
    for of_frame in counts.values():
        total.update(of_frame)
    postponed = [frame_id for frame_id in handed_out.ids if frame_id not in after]
    write_json(folder / run_dir.ANNOTATORS, {"frames": counts, "total": dict(total), "postponed": postponed})
    before = sum(len(handed_out.prelabels.get(frame_id, ())) for frame_id in ids)
    return (
        f"annotators labelled {len(ids)} frames; of {before} boxes to start from they kept {total['kept']}, moved "
        f"{total['moved']}, renamed {total['renamed']} and deleted {total['deleted']}; they added {total['added']}"
    )
