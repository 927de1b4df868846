#!/usr/bin/env bash
# Makes sure that podman can run Kubernetes manifests. Safe to call again and again.
#
# Where it is not installed and this is root on a Debian machine, Debian's podman is. Its crun refuses some machines'
# cgroups, so runc is taken: the file that CONTAINERS_CONF is to name is written to .cache/podman/containers.conf.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=$(cd "$here/../.." && pwd)/.cache/podman

fail() {
    printf 'podman: %s\n' "$*" >&2
    exit 1
}

mkdir -p "$cache"
if ! command -v podman >/dev/null || ! command -v runc >/dev/null; then
    [ "$(id -u)" = 0 ] || fail "podman and runc must be installed, and only root can do that."
    command -v apt-get >/dev/null || fail "podman must be installed by hand: this machine has no apt-get."
    export DEBIAN_FRONTEND=noninteractive
    apt-get -qq update >"$cache/apt.log" 2>&1 || true
    apt-get -qq install -y --no-install-recommends podman catatonit runc >>"$cache/apt.log" 2>&1 ||
        fail "apt-get could not install podman: $(tail -n 3 "$cache/apt.log")"
fi
cat >"$cache/containers.conf" <<'EOF'
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
EOF
podman --version
