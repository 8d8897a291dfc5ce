#!/bin/bash
# A throw-away one-node Ceph cluster with an S3 gateway, for tests, on 127.0.0.1 only.
#
#   radosgw.sh start DIR [PORT]   make it inside DIR (new or empty) and start it; S3 on PORT (7480)
#   radosgw.sh stop DIR           end the processes that start began, by DIR/run/*.pid
#
# start prints endpoint=, access_key=, secret_key= and conf=. The same cluster serves RBD:
# rbd -c CONF create rbd/NAME --size 64. RADOS asks for no keys. The data are in memory, 4 GiB
# at most, and end with stop. There is no mgr: ceph df answers zeros, ceph pg hangs.
set -euo pipefail

die() { echo "radosgw.sh: $*" >&2; exit 1; }

listening() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# A port that nothing listens on, for the monitor.
free_port() {
    local p
    while p=$((20000 + RANDOM % 12000)); listening "$p"; do :; done
    echo "$p"
}

# wait_for SECONDS NAME COMMAND...: until the command succeeds, or fail where the daemon NAME ended.
wait_for() {
    local end=$((SECONDS + $1)) name=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        kill -0 "$(<"$dir/run/$name.pid")" 2>/dev/null || die "$name ended: see $dir/log/$name.out"
        [ "$SECONDS" -lt "$end" ] || die "$name is not up: see $dir/log"
        sleep 0.1
    done
}

# daemon NAME PROGRAM...: run it in the background, with a pid file.
daemon() {
    local name=$1
    shift
    setsid "$@" -c "$conf" -f </dev/null >"$dir/log/$name.out" 2>&1 &
    echo $! >"$dir/run/$name.pid"
}

ceph_do() { ceph -c "$conf" --connect-timeout 30 "$@" 2>>"$dir/log/ceph.out"; }
osd_up() { ceph_do osd stat | grep -q ' 1 up'; }

write_conf() {
    cat >"$conf" <<EOF
[global]
fsid = $fsid
mon_host = v2:127.0.0.1:$mon_port
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
ms_bind_ipv6 = false
ms_bind_msgr1 = false
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
# radosgw would have it 'secure', which no connection without keys can be.
ms_mon_client_mode = crc
# One copy of everything, on one OSD.
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 8
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
mon_allow_pool_delete = true
mon_max_pg_per_osd = 1000
# The monitor gathers changes for a second before it writes them; a dozen of them make the start.
paxos_propose_interval = 0.05
paxos_min_wait = 0.02
osd_objectstore = memstore
memstore_device_bytes = 4294967296
# Nothing outside DIR.
run_dir = $dir/run
admin_socket =
log_file = $dir/log/\$name.log
mon_cluster_log_file = $dir/log/cluster.log
crash_dir = $dir/log
keyring = $dir/keyring
mon_data = $dir/mon
mon_data_avail_crit = 1
osd_data = $dir/osd
rgw_data = $dir/rgw
rgw_frontends = beast endpoint=127.0.0.1:$port
rgw_thread_pool_size = 32
EOF
}

start() {
    [ -z "$(ls -A "$dir" 2>/dev/null)" ] || die "$dir is not empty"
    ! listening "$port" || die "port $port is taken"
    mkdir -p "$dir"/{run,log,mon,osd,rgw}
    trap '[ "$up" ] || stop' EXIT
    fsid=$(</proc/sys/kernel/random/uuid)
    mon_port=$(free_port)
    write_conf
    : >"$dir/keyring"

    monmaptool --create --fsid "$fsid" --addv a "[v2:127.0.0.1:$mon_port]" "$dir/monmap" >/dev/null
    ceph-mon -c "$conf" --mkfs -i a --monmap "$dir/monmap" --keyring "$dir/keyring"
    daemon mon ceph-mon -i a
    wait_for 60 mon listening "$mon_port"

    local uuid
    uuid=$(</proc/sys/kernel/random/uuid)
    ceph_do osd new "$uuid" >/dev/null
    ceph-osd -c "$conf" -i 0 --mkfs --osd-uuid "$uuid" >"$dir/log/osd-mkfs.out" 2>&1
    daemon osd ceph-osd -i 0
    wait_for 60 osd osd_up
    ceph_do osd pool create rbd 8
    ceph_do osd pool application enable rbd rbd

    # The user first: its command makes the gateway's zone and pools, and must not race with the gateway.
    local access=test secret
    secret=$(od -An -N20 -tx1 /dev/urandom | tr -d ' \n')
    radosgw-admin -c "$conf" -n client.rgw user create --uid test --display-name test \
        --access-key "$access" --secret-key "$secret" >"$dir/log/user.out" 2>&1 ||
        die "no user: see $dir/log/user.out"
    daemon rgw radosgw -n client.rgw
    wait_for 60 rgw listening "$port"
    up=yes
    printf '%s\n' "endpoint=http://127.0.0.1:$port" "access_key=$access" "secret_key=$secret" "conf=$conf"
}

# The gateway first, the monitor last. A pid that by now is another process's is left alone.
stop() {
    local name pid n
    for name in rgw osd mon; do
        [ -f "$dir/run/$name.pid" ] || continue
        pid=$(<"$dir/run/$name.pid")
        for ((n = 0; n < 150; n++)); do
            tr '\0' '\n' 2>/dev/null <"/proc/$pid/cmdline" | grep -qxF -- "$conf" || break
            if [ "$n" = 0 ]; then kill "$pid"; elif [ "$n" = 100 ]; then kill -KILL "$pid"; fi
            sleep 0.1
        done 2>/dev/null
        rm -f "$dir/run/$name.pid"
    done
}

[ $# -ge 2 ] || die "usage: radosgw.sh start DIR [PORT] | radosgw.sh stop DIR"
dir=$(realpath -m -- "$2")
conf=$dir/ceph.conf
port=${3:-7480}
up=
case $1 in
    start) start ;;
    stop) stop ;;
    *) die "unknown command $1" ;;
esac
