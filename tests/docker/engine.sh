#!/usr/bin/env bash
# Makes sure that a Docker engine answers and that the base image is there. Safe to call again and again.
#
# Where no engine runs and this is root on a Debian machine, Debian's docker.io is installed and dockerd started.
# Where no image registry answers, the base image is made here from Debian's packages and kept under .cache/docker.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=$(cd "$here/../.." && pwd)/.cache/docker
base=python:3.11-slim-bookworm
suite=bookworm

say() { printf 'engine: %s\n' "$*"; }
fail() {
    printf 'engine: %s\n' "$*" >&2
    exit 1
}

answers() { timeout 20 docker info >/dev/null 2>&1; }

apt_install() {
    [ "$(id -u)" = 0 ] || fail "$* must be installed, and only root can do that."
    command -v apt-get >/dev/null || fail "$* must be installed by hand: this machine has no apt-get."
    say "installing $*"
    export DEBIAN_FRONTEND=noninteractive
    apt-get -qq update >"$cache/apt.log" 2>&1 || true
    apt-get -qq install -y --no-install-recommends "$@" >>"$cache/apt.log" 2>&1 ||
        fail "apt-get could not install $*: $(tail -n 3 "$cache/apt.log")"
}

# A machine that was cut off leaves a number behind, and the daemon will not start if another process has it now.
forget_process() {
    local file=$1 name=$2
    [ -f "$file" ] && ! grep -qs "^$name" "/proc/$(cat "$file")/comm" && rm -f "$file"
    true
}

start_engine() {
    [ "$(id -u)" = 0 ] || fail "no Docker engine answers, and only root can start one."
    if ! command -v dockerd >/dev/null || ! command -v docker >/dev/null; then
        apt_install docker.io iptables
    fi
    # Where the machine has a service manager, it has just started the engine.
    answers && return
    forget_process /var/run/docker.pid dockerd
    forget_process /var/run/docker/containerd/containerd.pid containerd
    say "starting dockerd, log in .cache/docker/dockerd.log"
    setsid nohup dockerd >"$cache/dockerd.log" 2>&1 </dev/null &
    local daemon=$!
    for _ in $(seq 120); do
        answers && return
        kill -0 "$daemon" 2>/dev/null || break
        sleep 0.5
    done
    fail "dockerd did not start: $(tail -n 5 "$cache/dockerd.log")"
}

# The mirror that apt is set up with; empty where apt has none for this suite (debootstrap then knows its own).
mirror() {
    # shellcheck disable=SC2016  # apt's own fields
    apt-get indextargets --format '$(CODENAME) $(REPO_URI)' 'Identifier: Packages' 2>/dev/null |
        awk -v suite="$suite" '$1 == suite { print $2; exit }'
}

make_base() {
    command -v debootstrap >/dev/null || apt_install debootstrap
    [ "$(id -u)" = 0 ] || fail "the base image has to be made by debootstrap, which only root can run."
    local work
    work=$(mktemp -d "$cache/rootfs.XXXXXX")
    # shellcheck disable=SC2064  # the folder's name of now is meant
    trap "rm -rf '$work'" EXIT
    say "making $base from Debian's packages (about a minute)"
    # shellcheck disable=SC2046  # no mirror is no argument
    debootstrap --variant=minbase --include=python3,python3-venv,python3-pip,ca-certificates \
        "$suite" "$work/rootfs" $(mirror) >"$cache/debootstrap.log" 2>&1 ||
        fail "debootstrap failed: $(tail -n 3 "$cache/debootstrap.log")"
    # The machine's own certificates: behind an inspecting proxy no package could be fetched without them.
    cp /etc/ssl/certs/ca-certificates.crt "$work/rootfs/etc/ssl/certs/ca-certificates.crt"
    ln -s /usr/bin/python3 "$work/rootfs/usr/local/bin/python"
    rm -rf "$work"/rootfs/var/cache/apt/* "$work"/rootfs/var/lib/apt/lists/* "$work"/rootfs/var/log/*
    tar -C "$work/rootfs" -c . | docker import --change 'CMD ["python3"]' - "$base" >/dev/null
    docker save "$base" >"$cache/base.tar.part"
    mv "$cache/base.tar.part" "$cache/base.tar"
}

mkdir -p "$cache"
answers || start_engine
if docker image inspect "$base" >/dev/null 2>&1; then
    :
elif [ -f "$cache/base.tar" ]; then
    say "loading $base from .cache/docker"
    docker load --quiet <"$cache/base.tar" >/dev/null
elif ! timeout 120 docker pull --quiet "$base" >"$cache/pull.log" 2>&1; then
    make_base
fi
say "ready: $(docker version --format '{{.Server.Version}}'), $base"
