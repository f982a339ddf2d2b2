# Everything runs from .venv, which is made from the pinned, hashed requirements when it is missing.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

.DEFAULT_GOAL := help
# Where `make install` puts things; packagers set DESTDIR. The program lives in an environment of its
# own below LIBDIR, made with INTERPRETER, which has to stay where it is.
INTERPRETER ?= $(PYTHON)
DESTDIR  ?=
PREFIX   ?= /usr
LIBDIR   ?= $(PREFIX)/lib/acuse
UNITDIR  ?= $(PREFIX)/lib/systemd/system
VERSION   = $(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' gateway/__init__.py)
ARCH      = $(shell dpkg --print-architecture)
UNITS    := acuse.service acuse.socket acuse-verify.service acuse-verify.timer

.PHONY: help demo test interop check lint types format bench requirements clean install uninstall deb

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(STAMP): requirements-dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "acuse needs Python 3.11 or newer")'
	@echo "installing the pinned requirements into $(VENV) (once) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(STAMP)

demo: $(STAMP) ## simulated operators, real daemon, one sealed proof, checked
	@$(BIN)/acuse demo

test: $(STAMP) ## every test that needs only Python, on all processors
	@$(BIN)/python -m pytest -n auto --dist loadfile

interop: $(STAMP) ## our SMPP and proofs against programs nobody here wrote; installs them
	@$(BIN)/python -m tests.interop.install
	@$(BIN)/python -m pytest tests/interop

check: lint types test ## lint, strict types, tests

lint: $(STAMP)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(STAMP)
	@$(BIN)/mypy

format: $(STAMP) ## let ruff fix what it can
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(STAMP) ## certified messages per second, at window 10, 100 and 1,000
	@$(BIN)/python -m tests.bench

requirements: ## renew the pins (needs uv)
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
	  --no-emit-index-url --upgrade pyproject.toml -o requirements.txt
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
	  --no-emit-index-url --upgrade pyproject.toml --group dev -o requirements-dev.txt

install: $(STAMP) ## the program, its units and its example configuration, below DESTDIR
	rm -rf build/wheel "$(DESTDIR)$(LIBDIR)"
	@$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation -w build/wheel .
	install -d "$(DESTDIR)$(PREFIX)/bin" "$(DESTDIR)$(UNITDIR)" "$(DESTDIR)$(PREFIX)/lib/sysusers.d" \
	  "$(DESTDIR)$(PREFIX)/lib/tmpfiles.d" "$(DESTDIR)$(PREFIX)/share/doc/acuse"
	$(INTERPRETER) -m venv --without-pip --symlinks "$(DESTDIR)$(LIBDIR)"
	@$(BIN)/python -m pip --python "$(DESTDIR)$(LIBDIR)/bin/python" install --quiet --disable-pip-version-check \
	  --require-hashes -r requirements.txt
	@$(BIN)/python -m pip --python "$(DESTDIR)$(LIBDIR)/bin/python" install --quiet --disable-pip-version-check \
	  --no-deps build/wheel/*.whl
	@# Scripts that name the place where this was built; ours is written below.
	find "$(DESTDIR)$(LIBDIR)/bin" -type f -delete
	sed -i '/^command = /d' "$(DESTDIR)$(LIBDIR)/pyvenv.cfg"
	find "$(DESTDIR)$(LIBDIR)" -name direct_url.json -delete
	printf '#!%s -I\nimport sys\nfrom gateway.cli.main import main\nsys.exit(main())\n' "$(LIBDIR)/bin/python" \
	  > "$(DESTDIR)$(PREFIX)/bin/acuse"
	chmod 755 "$(DESTDIR)$(PREFIX)/bin/acuse"
	for unit in $(UNITS); do sed 's|/usr/bin/acuse|$(PREFIX)/bin/acuse|' systemd/$$unit \
	  > "$(DESTDIR)$(UNITDIR)/$$unit" && chmod 644 "$(DESTDIR)$(UNITDIR)/$$unit" || exit 1; done
	$(BIN)/acuse manual "$(DESTDIR)$(PREFIX)/share"
	chmod -R u=rwX,go=rX "$(DESTDIR)$(PREFIX)/share"
	install -m 644 systemd/sysusers.d/acuse.conf "$(DESTDIR)$(PREFIX)/lib/sysusers.d/acuse.conf"
	install -m 644 systemd/tmpfiles.d/acuse.conf "$(DESTDIR)$(PREFIX)/lib/tmpfiles.d/acuse.conf"
	install -m 644 config/acuse.toml LICENSE README.md "$(DESTDIR)$(PREFIX)/share/doc/acuse/"

uninstall: ## what `make install` put there; configuration, ledger and keys stay
	rm -rf "$(DESTDIR)$(LIBDIR)" "$(DESTDIR)$(PREFIX)/share/doc/acuse"
	rm -f "$(DESTDIR)$(PREFIX)/bin/acuse" "$(DESTDIR)$(PREFIX)/lib/sysusers.d/acuse.conf" \
	  "$(DESTDIR)$(PREFIX)/share/man/man1"/acuse*.1 "$(DESTDIR)$(PREFIX)/share/man/man5/acuse.toml.5" \
	  "$(DESTDIR)$(PREFIX)/share/bash-completion/completions/acuse" \
	  "$(DESTDIR)$(PREFIX)/share/zsh/site-functions/_acuse" \
	  "$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/acuse.fish" \
	  "$(DESTDIR)$(PREFIX)/lib/tmpfiles.d/acuse.conf" $(addprefix "$(DESTDIR)$(UNITDIR)"/,$(UNITS))

deb: ## a Debian package: build/acuse_VERSION_ARCH.deb (INTERPRETER=/usr/bin/python3)
	rm -rf build/deb
	$(MAKE) install DESTDIR=build/deb PREFIX=/usr
	install -d build/deb/DEBIAN
	sed -e 's/@VERSION@/$(VERSION)/' -e 's/@ARCH@/$(ARCH)/' \
	  -e "s/@MINOR@/$$($(INTERPRETER) -c 'import sys; print(sys.version_info.minor)')/" \
	  -e "s/@NEXT@/$$($(INTERPRETER) -c 'import sys; print(sys.version_info.minor + 1)')/" \
	  -e "s/@SIZE@/$$(du -sk build/deb | cut -f1)/" systemd/debian/control > build/deb/DEBIAN/control
	install -m 755 systemd/debian/postinst systemd/debian/prerm systemd/debian/postrm build/deb/DEBIAN/
	dpkg-deb --root-owner-group -Zgzip --build build/deb build/acuse_$(VERSION)_$(ARCH).deb

clean: ## remove what make made
	rm -rf $(VENV) .interop build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
