# `make test` installs what the tests need (as root) and passes them all.
.PHONY: test tools check bench

# Real peers the tests talk to, and the program that brings each.
TOOLS = dig:bind9-dnsutils unbound:unbound curl:curl sqlite3:sqlite3 systemd-analyze:systemd cc:gcc nsd:nsd knotd:knot

test: tools
	cargo test --locked --all-features

tools:
	@missing=; for pair in $(TOOLS); do \
	  PATH="$$PATH:/usr/sbin:/sbin" command -v $${pair%%:*} >/dev/null 2>&1 || missing="$$missing $${pair##*:}"; done; \
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

# Beside other servers that are installed, in one run; says which are missing. Settings: benches/README.md.
bench:
	RESULTS=$${RESULTS:-target/doors.md} cargo run --locked --release --package doors
	cargo test --locked --bench allocations
