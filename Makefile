# make demo   set up, simulate a data set, run active-learning rounds with KECOR, end in a report
# make test   set up, check style, run the tests
# make gpu-check   compare a CUDA device with the CPU and time the detectors on it (docs/gpu.md)
# Both do all the set-up in .venv/; nothing else on the machine is touched, but for libusb (see tools/setup.sh).

PYTHON ?= $(firstword $(foreach p,python3.11 python3.12 python3.10 python3,$(shell $(p) -c "import sys; print('$(p)' * ((3, 10) <= sys.version_info < (3, 13)))" 2>/dev/null)))
PY := .venv/bin/python
INSTALLED := .venv/.installed

# Threads of torch's OpenMP that spin for long bring training to a crawl when another process wants a core.
export GOMP_SPINCOUNT ?= 20000

.PHONY: demo test gpu-check setup

demo: setup
	$(PY) tools/create_data.py simulated --out data/simulated --frames 320 --seed 0
	$(PY) tools/train_al.py configs/simulated/second_small.yaml --method kecor --work-dir work_dirs/demo --resume

test: setup
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	OMP_NUM_THREADS=1 $(PY) -m pytest -n 2 --dist loadfile

gpu-check: setup
	$(PY) -c "import sys, torch; sys.exit(None if torch.cuda.is_available() else 'no CUDA device: install a torch for CUDA, or check the driver')"
	$(PY) -m pytest -m gpu -rA
	$(PY) tools/create_data.py simulated --out data/gpu_check --frames 4
	$(PY) tools/benchmark.py detector --data-root data/gpu_check --device cuda --train

setup: $(INSTALLED)

$(INSTALLED): setup.py constraints.txt requirements/nuscenes.txt tools/setup.sh
	bash tools/setup.sh "$(PYTHON)"
	touch $@
