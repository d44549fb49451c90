# For hands and CI; meson.build says what is built and how.
# make | make demo | make test | make check | make soak | make bench [B=openclose|sizes|bulk|posix|drill]
# make proof [P="RFC9293:MUST-10 ..."]
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

demo:
	@tools/setup build demo
	$(configure)
	@ninja -C $(BUILD) --quiet tern libtern-preload.so
	@tools/demo $(BUILD)/tern

test:
	@tools/setup build demo test
	$(call configure,-Dtests=enabled)
	@ninja -C $(BUILD)
	@tools/runtests $(BUILD)

check:
	@tools/setup build demo test check
	@$(MAKE) --no-print-directory test
	@tools/check $(BUILD)

# Long runs over a TUN device: 1 GiB each way, also over a bad wire; programs for long.
soak:
	@tools/setup build demo test
	$(configure)
	@ninja -C $(BUILD) tern libtern-preload.so
	@TERN=$(abspath $(BUILD))/tern tests/soak/transfer.py
	@TERN=$(abspath $(BUILD))/tern tests/soak/programs.py
	@TERN=$(abspath $(BUILD))/tern tests/soak/hangups.py

bench:
	@tools/setup build demo test bench
	$(configure)
	@ninja -C $(BUILD) benchmarks >&2
	@bench/run $(BUILD) $(B)

# What the tests are worth: cited code is spoiled, in a copy, and the cited tests have to fail.
proof:
	@tools/setup build demo test
	@tools/ledger --prove --dir $(BUILD)-proof $(P)

install:
	@tools/setup build
	$(configure)
	@ninja -C $(BUILD)
	@DESTDIR=$(abspath $(DESTDIR)) meson install -C $(BUILD) --no-rebuild

.PHONY: build demo test check soak bench proof install
