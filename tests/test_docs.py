"""What the documentation shows is run as printed."""

import re
from pathlib import Path

import numpy as np

from kecor.acquisition import build_acquisition, validate_selection
from kecor.config import load_config
from kecor.registry import ACQUISITIONS
from kecor.structures import Budget, Detections, FrameSet

ROOT = Path(__file__).parents[1]


def test_the_method_of_the_plug_in_page_runs_as_printed(tmp_path, monkeypatch):
    page = (ROOT / "docs" / "add_a_method.md").read_text()
    code, config = re.findall(r"```(?:python|yaml)\n(.*?)```", page, re.DOTALL)
    (tmp_path / "my_method.py").write_text(code)
    (tmp_path / "my_config.yaml").write_text(config.replace("second_small", f"{ROOT}/configs/simulated/second_small"))
    monkeypatch.syspath_prepend(tmp_path)
    settings = load_config(tmp_path / "my_config.yaml").acquisition
    assert settings == {"type": "most_boxes", "min_score": 0.5}

    detections = [Detections(np.zeros((k, 7)), np.full(k, 0.9), np.zeros(k, int)) for k in (1, 3, 2)]
    pool, budget = FrameSet(["a", "b", "c"], detections=detections), Budget(2)
    selection = build_acquisition(settings).select(pool, FrameSet([]), budget, np.random.default_rng(0))
    validate_selection(selection, pool, budget, "most_boxes")
    assert selection.indices.tolist() == [1, 2]


def test_every_page_the_documents_link_to_is_there():
    for page in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        for link in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
            assert (page.parent / link).exists(), f"{page.name} links to {link}"


def test_the_page_of_methods_names_each_of_them():
    ACQUISITIONS.import_from_location()
    page = (ROOT / "docs" / "methods.md").read_text()
    rows = {line.split("`")[1] for line in page.splitlines() if line.startswith("| `")}
    assert rows == {name for name, cls in ACQUISITIONS.module_dict.items() if cls.__module__.startswith("kecor.")}
