# Every target is a command of tools/setup.py, which makes .venv first where that is needed.
#   PYTHON=python3.13 make lab      another interpreter        TORCH=cpu make lab      torch without CUDA, 5 GB less
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && echo $$p && exit; \
	done; echo python3)

help:
	@$(PYTHON) tools/setup.py

lab test notebooks check exercises class checkpoints bands processors lock clean:
	@$(PYTHON) tools/setup.py $@ $(ONLY) $(ARGS)

.PHONY: help lab test notebooks check exercises class checkpoints bands processors lock clean
