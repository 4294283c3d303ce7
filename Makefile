# `make test` installs what the tests need (as root) and passes them all; `make torture` puts a fleet through every fault.
.PHONY: test torture tools check bench gate scale

# Real peers the tests talk to, and what etcd's client is built with: the program or file, and the package that brings it.
TOOLS = dig:bind9-dnsutils unbound:unbound curl:curl sqlite3:sqlite3 systemd-analyze:systemd cc:gcc nsd:nsd knotd:knot \
	etcd:etcd-server etcdctl:etcd-client ip:iproute2 setpriv:util-linux \
	protoc:protobuf-compiler /usr/include/google/protobuf/descriptor.proto:libprotobuf-dev

test: tools
	cargo test --locked --all-features

# All faults, one after the other, in networks of their own: half an hour. It prints its seed; TORTURE_SEED=N takes one again.
# Some only: cargo test --locked --all-features --test torture -- 13 38
torture: TOOLS += faketime:faketime
torture: tools
	cargo test --locked --all-features --test torture -- --include-ignored

tools:
	@missing=; for pair in $(TOOLS); do \
	  tool=$${pair%%:*}; case $$tool in /*) [ -e $$tool ] && continue;; esac; \
	  PATH="$$PATH:/usr/sbin:/sbin" command -v $$tool >/dev/null 2>&1 || missing="$$missing $${pair##*:}"; done; \
	if [ -n "$$missing" ]; then \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then \
	    echo "installing:$$missing"; export DEBIAN_FRONTEND=noninteractive; \
	    printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d.wayshift && chmod +x /usr/sbin/policy-rc.d.wayshift; \
	    [ -e /usr/sbin/policy-rc.d ] || { mv /usr/sbin/policy-rc.d.wayshift /usr/sbin/policy-rc.d; own=1; }; \
	    apt-get update -qq && apt-get install -y -qq --no-install-recommends $$missing >/dev/null; done=$$?; \
	    [ -z "$$own" ] || rm -f /usr/sbin/policy-rc.d; rm -f /usr/sbin/policy-rc.d.wayshift; exit $$done; \
	  else echo "the tests need these packages (Debian names):$$missing" >&2; exit 1; fi; fi

check:
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets --all-features -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --document-private-items

# Instructions per query of the release, against what was promised. It takes valgrind, which root gets; without it
# nothing is counted, and nothing fails.
gate:
	-@command -v valgrind >/dev/null 2>&1 || $(MAKE) --no-print-directory tools TOOLS=valgrind:valgrind
	@if command -v valgrind >/dev/null 2>&1; then cargo run --locked --release --package doors -- gate; \
	else echo "gate: valgrind is not here, so no instructions are counted"; fi

# Beside other servers that are installed, in one run; says which are missing. Settings: benches/README.md.
bench:
	RESULTS=$${RESULTS:-target/doors.md} cargo run --locked --release --package doors
	cargo test --locked --bench allocations

# A large fleet at work, by simulation: what it writes, how soon it agrees, what it holds in memory (docs/capacity.md).
# Settings: NODES, ENDPOINTS, SEED. 200 x 50,000 take some gigabytes and some minutes.
scale:
	cargo bench --locked --bench scale -- $${NODES:-200} $${ENDPOINTS:-50000} $${SEED:-1}
