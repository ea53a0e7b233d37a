#!/usr/bin/env bash
# Makes .venv/ with everything kecor needs. Called by make; safe to run again.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${1:-}

if [ -z "$python" ]; then
    echo "No Python 3.10, 3.11 or 3.12 found. Install one (Debian: apt-get install python3 python3-venv) or run: make PYTHON=/path/to/python3.11" >&2
    exit 1
fi
echo "Setting up .venv with $($python --version); this takes a few minutes the first time"
if ! "$python" -m venv .venv; then
    rm -rf .venv
    echo "$python cannot make a virtual environment. On Debian or Ubuntu: apt-get install python3-venv" >&2
    exit 1
fi
pip() { .venv/bin/python -m pip --disable-pip-version-check --quiet "$@"; }
pip install torch==2.13.0 # first and pinned: no resolver may choose another build
pip install -c constraints.txt -e ".[dev]"
pip install --no-deps -r requirements/nuscenes.txt # the devkit pins NumPy 1; its detection part runs on NumPy 2

# Open3D loads libusb, which slim systems lack and no Python package brings.
if ! .venv/bin/python -c "import open3d" 2>/dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "Installing libusb-1.0-0, libgl1 and libgomp1, which Open3D loads"
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq libusb-1.0-0 libgl1 libgomp1 >/dev/null
    fi
    if ! .venv/bin/python -c "import open3d"; then
        echo "Open3D does not import (see above). Run: sudo apt-get install libusb-1.0-0 libgl1 libgomp1   then run make again" >&2
        exit 1
    fi
fi
