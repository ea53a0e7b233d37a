"""Packaging of kecor."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = re.search(r'__version__ = "(.+)"', (HERE / "kecor" / "__init__.py").read_text())

setup(
    name="kecor",
    version=VERSION[1] if VERSION else "",
    description="Active learning for LiDAR 3D object detection by kernel coding rate maximisation",
    long_description=(HERE / "README.md").read_text(),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    packages=[*find_packages(include=["kecor", "kecor.*"]), "kecor.configs"],
    package_dir={"kecor.configs": "configs"},
    package_data={"kecor": ["py.typed", "visualization/page.*"], "kecor.configs": ["**/*.yaml"]},
    entry_points={"console_scripts": ["kecor = kecor.cli.__main__:main"]},
    python_requires=">=3.10,<3.13",
    install_requires=[
        "torch>=2.4",
        'spconv-cu120>=2.3.6; python_version < "3.12"',
        'spconv-cu126>=2.3.8; python_version >= "3.12"',
        "numba>=0.60",
        "numpy>=1.26",
        "scipy>=1.11",
        "mmengine-lite>=0.10.5",
        "opencv-python-headless>=4.8",
        'open3d-cpu>=0.18; platform_system == "Linux" and platform_machine == "x86_64"',
        'open3d>=0.18; platform_system != "Linux" or platform_machine != "x86_64"',
        "pyyaml>=6",
        "matplotlib>=3.8",
        "plotly>=5.15",
        "tqdm>=4.66",
        "tensorboard>=2.15",
        "protobuf>=4.25",
    ],
    extras_require={
        "waymo": ["pyarrow>=15"],
        "las": ["laspy[lazrs]>=2.5"],
        "dev": [
            "kecor[waymo,las]",
            "pytest>=8",
            "pytest-xdist>=3.5",
            "hypothesis>=6.100",
            "shapely>=2.0",
            "ruff>=0.6",
            "mypy>=1.11",
            "types-PyYAML",
            "types-tqdm",
            "setuptools>=68",
            "wheel",
            "pre-commit>=3",
        ],
    },
)
