# For hands and CI; meson.build says what is built and how.
# make | make test | make check | make bench [B=openclose|sizes|bulk]
# make install [PREFIX=/usr/local] [DESTDIR=]
BUILD = build
PREFIX = /usr/local
# Said outright, since meson finds Debian's directory only where dpkg-dev is installed.
LIBDIR = lib/$$(gcc -print-multiarch)
reconfigure = $(if $(wildcard $(BUILD)/build.ninja),--reconfigure)
configure = @said=$$(CC=gcc meson setup $(BUILD) $(reconfigure) -Dprefix=$(PREFIX) \
		-Dlibdir=$(LIBDIR) $(1)) || \
		{ echo "$$said"; exit 1; }

build:
	@tools/setup build
	$(configure)
	@ninja -C $(BUILD)

test:
	@tools/setup build test
	$(call configure,-Dtests=enabled)
	@ninja -C $(BUILD)
	@tools/runtests $(BUILD)

check:
	@tools/setup build test check
	@$(MAKE) --no-print-directory test
	@tools/check $(BUILD)

bench:
	@tools/setup build test bench
	$(configure)
	@ninja -C $(BUILD) benchmarks >&2
	@bench/run $(BUILD) $(B)

install:
	@tools/setup build
	$(configure)
	@ninja -C $(BUILD)
	@DESTDIR=$(abspath $(DESTDIR)) meson install -C $(BUILD) --no-rebuild

.PHONY: build test check bench install
