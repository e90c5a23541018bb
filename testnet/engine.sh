#!/usr/bin/env bash
# The container engine that the testnet runs on.
#
#   engine.sh start   uses the engine that answers; where none does, starts one of its own, as root
#   engine.sh host    prints the address of the one that answers, as DOCKER_HOST takes it
#   engine.sh stop    ends the engine that `start` started, with all that it ran; others are left alone
#
# An engine of our own keeps everything in one directory, and what it changes outside (firewall rules,
# forwarding) is put back when it ends.
set -euo pipefail

readonly dir=${CLOVERLEAF_ENGINE_DIR:-/var/lib/cloverleaf-engine}
readonly own_host="unix://$dir/docker.sock"
readonly start_seconds=60
readonly stop_seconds=60

say() { echo "engine: $*" >&2; }

answers() { DOCKER_HOST=$1 docker version >/dev/null 2>&1; }

# Prints the address of an engine that answers: our own, or the one that docker knows.
host() {
    if [ -S "$dir/docker.sock" ] && answers "$own_host"; then
        echo "$own_host"
    elif docker version >/dev/null 2>&1; then
        echo "${DOCKER_HOST:-unix:///var/run/docker.sock}"
    else
        return 1
    fi
}

# The engine's process, if it is ours and runs.
pid() {
    local pid
    pid=$(cat "$dir/dockerd.pid" 2>/dev/null) && is_ours "$pid" && echo "$pid"
}

# True of a process that was started below. One that has ended and waits for its parent has no command.
is_ours() {
    tr '\0' ' ' <"/proc/$1/cmdline" 2>/dev/null | grep -qF -- "--pidfile $dir/dockerd.pid"
}

start() {
    local found
    if found=$(host); then
        say "using the engine at $found"
        return
    fi
    [ "$(id -u)" -eq 0 ] || { say 'none answers, and only root can start one'; return 1; }
    command -v dockerd >/dev/null || { say 'dockerd is not installed; run .ci/setup containers'; return 1; }
    clean # what a machine that lost its power left

    mkdir -p "$dir/bin"
    chmod 700 "$dir"
    # Kernels without nftables: the engine must find the older program under the usual name.
    if ! iptables -w -L -n >/dev/null 2>&1 && iptables-legacy -w -L -n >/dev/null 2>&1; then
        ln -sf "$(command -v iptables-legacy)" "$dir/bin/iptables"
    fi
    iptables_ -S FORWARD | head -n 1 >"$dir/forward-policy"
    cat /proc/sys/net/ipv4/ip_forward >"$dir/ip-forward"

    say "starting one in $dir"
    # In a session of its own, so that Ctrl-C at a terminal ends what the user runs, not the engine.
    PATH="$dir/bin:$PATH" setsid dockerd --data-root "$dir/data" --exec-root "$dir/exec" \
        --pidfile "$dir/dockerd.pid" --host "$own_host" --bridge none --log-level warn \
        >"$dir/dockerd.log" 2>&1 </dev/null &
    local started=$!
    for ((tenth = 0; tenth < 10 * start_seconds; tenth++)); do
        if answers "$own_host"; then
            say "started, process $(cat "$dir/dockerd.pid")"
            return
        fi
        kill -0 "$started" 2>/dev/null || break
        sleep 0.1
    done
    say "it does not start; it said last:"
    tail -n 20 "$dir/dockerd.log" >&2
    stop
    return 1
}

stop() {
    local pid
    if pid=$(pid); then
        local containers
        containers=$(DOCKER_HOST=$own_host docker ps --all --quiet 2>/dev/null || true)
        # shellcheck disable=SC2086 # one argument each
        [ -z "$containers" ] || DOCKER_HOST=$own_host docker rm --force $containers >/dev/null
        DOCKER_HOST=$own_host docker network prune --force >/dev/null 2>&1 || true
        kill -TERM "$pid"
        for ((tenth = 0; tenth < 10 * stop_seconds; tenth++)); do
            is_ours "$pid" || break
            sleep 0.1
        done
        if is_ours "$pid"; then
            say "process $pid does not end; killing it"
            kill -KILL "$pid"
        fi
        say "ended process $pid"
    fi
    clean
}

# Removes what an engine of ours leaves on the machine once it has ended.
clean() {
    [ -d "$dir" ] || return 0
    local mount
    while read -r mount; do
        umount --lazy "$mount" || true
    done < <(awk -v dir="$dir/" 'index($2, dir) == 1 { print $2 }' /proc/mounts | sort -r)
    if [ -s "$dir/forward-policy" ]; then
        restore_firewall
    fi
    rm -rf "$dir"
}

# Only an engine makes chains with these names, and no other one answered when ours was started.
restore_firewall() {
    local table rule chain policy
    for table in nat filter; do
        while read -r rule; do
            # shellcheck disable=SC2086 # a rule is words
            iptables_ -t "$table" -D ${rule#-A } || true
        done < <(iptables_ -t "$table" -S | grep -E -- '^-A (FORWARD|PREROUTING|OUTPUT|POSTROUTING) .*(DOCKER|10\.45\.45\.)')
        while read -r chain; do
            iptables_ -t "$table" -F "$chain" || true
        done < <(iptables_ -t "$table" -S | awk '/^-N DOCKER/ { print $2 }')
        while read -r chain; do
            iptables_ -t "$table" -X "$chain" || true
        done < <(iptables_ -t "$table" -S | awk '/^-N DOCKER/ { print $2 }')
    done
    policy=$(cut -d ' ' -f 3 <"$dir/forward-policy")
    iptables_ -P FORWARD "$policy"
    cat "$dir/ip-forward" >/proc/sys/net/ipv4/ip_forward
}

iptables_() { PATH="$dir/bin:$PATH" iptables -w "$@" 2> >(grep -v '^# Warning' >&2); }

case ${1:-} in
    start) start ;;
    stop) stop ;;
    host) host ;;
    *)
        sed -n '2,/^set/p' "$0" | sed '$d; s/^# \{0,1\}//' >&2
        exit 2
        ;;
esac
