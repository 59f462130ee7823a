# Shared by the scripts beside it; sourced, never run.
# shellcheck shell=bash

# shellcheck disable=SC2034  # for those who source this
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# Interpreters and uv live here, outside any checkout: building them takes minutes, and every checkout can use them.
cache=${ENGINE_CACHE:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/engine}

say() { printf '%s\n' "$*" >&2; }

# One line: what went wrong, where, what to do.
die() {
    printf '%s: %s\n' "$(basename "$0")" "$*" >&2
    exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

# Holds an exclusive lock on a file until this script ends (descriptor 9). macOS has no flock: there, nobody waits.
lock() {
    mkdir -p "$(dirname "$1")" || die "cannot write in $(dirname "$1"); point ENGINE_CACHE at a folder you may write to"
    exec 9>"$1"
    have flock || return 0
    flock --nonblock 9 && return 0
    say "waiting for another run that holds $1"
    flock 9
}

# Debian packages among the arguments that are not installed, on one line.
missing_packages() {
    local package missing=()
    for package in "$@"; do
        [[ $(dpkg-query --show --showformat '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] ||
            missing+=("$package")
    done
    printf '%s' "${missing[*]}"
}

# Installs what is missing of the Debian packages named; `need_packages WHY PACKAGE...`.
need_packages() {
    local why=$1 missing log
    shift
    missing=$(missing_packages "$@")
    [[ -z $missing ]] && return 0
    [[ $(id -u) == 0 ]] || die "$why needs Debian packages: as root, run apt-get install $missing"
    say "installing for $why: $missing"
    mkdir -p "$cache/log"
    log=$cache/log/apt.log
    # The machine's package lists may be absent (images) or stale: on a failure they are fetched and it is tried again.
    # shellcheck disable=SC2086  # a list of package names, to be split
    apt_install $missing >"$log" 2>&1 || { apt-get update >>"$log" 2>&1 && apt_install $missing >>"$log" 2>&1; } ||
        die "$why needs Debian packages that apt-get could not install: $missing (its output: $log)"
}

# Without the lock's descriptor: a service that a package starts would hold it for good.
apt_install() {
    DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends -o DPkg::Lock::Timeout=300 "$@" \
        </dev/null 9>&-
}
